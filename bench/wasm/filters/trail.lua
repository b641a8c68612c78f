-- The peer listener's rules (docs/trail.md) for Envoy's Lua filter, but for the metrics: Lua cannot count.
local own = "OWN"
local hop_limit = HOP_LIMIT
local known = { KNOWN }

local function refuse(handle, status, outcome)
  handle:respond({ [":status"] = status, ["x-isthmus-outcome"] = outcome }, "isthmus: " .. outcome .. " at ingress-peer of " .. own)
end

local function is_name(name)
  return #name >= 1 and #name <= 32 and not name:find("[^a-z0-9-]") and name:sub(1, 1) ~= "-" and name:sub(-1) ~= "-"
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local value = headers:get("x-isthmus-trail")
  if value == nil or #value == 0 or #value > 512 then
    return refuse(handle, "400", "malformed")
  end
  local names, visited, loop, strangers = 0, { [own] = true }, false, false
  for name in (value .. ","):gmatch("([^,]*),") do
    if not is_name(name) then
      return refuse(handle, "400", "malformed")
    end
    names = names + 1
    visited[name] = true
    loop = loop or name == own
    strangers = strangers or not known[name]
  end
  if loop then
    return refuse(handle, "508", "loop")
  end
  if names > hop_limit then
    return refuse(handle, "400", "hop-limit")
  end
  headers:replace("x-isthmus-trail", value .. "," .. own)
  local set = "_unknown"
  if not strangers then
    local list = {}
    for name in pairs(visited) do
      list[#list + 1] = name
    end
    table.sort(list)
    set = table.concat(list, ",")
  end
  headers:replace("x-isthmus-visited", set)
end
