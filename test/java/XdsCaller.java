import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/**
 * Calls `/greeter/Hello` of the target given until it is told to stop, and prints each answer as a line: grpc-java's own xDS
 * client, which reads its bootstrap from the environment.
 */
public final class XdsCaller {
  /** Leaves messages the bytes that they are. */
  private static final MethodDescriptor.Marshaller<byte[]> RAW =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(byte[] value) {
          return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
          try {
            return stream.readAllBytes();
          } catch (IOException cause) {
            throw new UncheckedIOException(cause);
          }
        }
      };

  private static final MethodDescriptor<byte[], byte[]> HELLO =
      MethodDescriptor.<byte[], byte[]>newBuilder(RAW, RAW)
          .setType(MethodDescriptor.MethodType.UNARY)
          .setFullMethodName("greeter/Hello")
          .build();

  private XdsCaller() {}

  private static String call(Channel channel) {
    CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(1, TimeUnit.MINUTES);
    try {
      byte[] answer = ClientCalls.blockingUnaryCall(channel, HELLO, options, new byte[0]);
      return new String(answer, StandardCharsets.UTF_8);
    } catch (StatusRuntimeException failed) {
      return "error " + failed.getStatus().getDescription();
    }
  }

  public static void main(String[] args) throws InterruptedException {
    Channel channel = Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create()).build();
    while (!System.out.checkError()) {
      System.out.println(call(channel));
      Thread.sleep(10);
    }
  }
}
