import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import redis.clients.jedis.RedisClient;

/**
 * Hands the messages of a queue out over TCP: the line {@code pop} is answered with the oldest of
 * them, or with an empty line. {@code NettyQueueConsumer BROKER_PORT} prints its own port.
 */
final class NettyQueueConsumer {
    public static void main(String[] arguments) throws Exception {
        RedisClient broker = RedisClient.create("127.0.0.1", Integer.parseInt(arguments[0]));
        NettyLines.serve(
                () ->
                        new SimpleChannelInboundHandler<String>() {
                            @Override
                            protected void channelRead0(ChannelHandlerContext peer, String line) {
                                peer.writeAndFlush(answer(broker, line) + "\n");
                            }
                        });
    }

    private static String answer(RedisClient broker, String line) {
        if (!line.equals("pop")) {
            return "expected pop, got " + line;
        }
        String message = broker.lpop("message_queue");
        return message == null ? "" : message;
    }
}
