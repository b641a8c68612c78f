# The image of Isthmus: control plane, webhook, capture and all commands.
#   docker build -t isthmus:0.1.0 .
# Both bases can be replaced: BUILD_IMAGE needs Node 24 with npm and make, RUNTIME_IMAGE Node 24 (a Debian with apt, for nftables).
ARG BUILD_IMAGE=node:24-bookworm
ARG RUNTIME_IMAGE=node:24-bookworm-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
# Packages are installed again only when their list changes.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --loglevel=error
COPY tsconfig.json tsconfig.build.json Makefile ./
COPY protos protos
# What `make setup` would do, but for tests and Envoy.
RUN touch .taprc && touch node_modules/.isthmus-stamp && node protos/gen.ts && touch protos/gen/.stamp
COPY src src
COPY wasm wasm
RUN make build
RUN npm prune --omit=dev --loglevel=error && rm -rf node_modules/.cache

FROM ${RUNTIME_IMAGE}
# nft is what `isthmus capture` gives its rules to.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends nftables \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/isthmus
COPY --from=build /src/node_modules node_modules
COPY --from=build /src/dist dist
COPY package.json LICENSE ./
COPY docs/schemas docs/schemas
COPY wasm/assembly wasm/assembly
RUN ln -s /opt/isthmus/dist/src/cli/main.js /usr/local/bin/isthmus
ENV NODE_ENV=production
# Nobody in particular: by number, so that runAsNonRoot can be checked.
USER 65532:65532
ENTRYPOINT ["isthmus"]
CMD ["--help"]
