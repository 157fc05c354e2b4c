import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import redis.clients.jedis.RedisClient;

/**
 * A front of a queue: each line of text that comes over TCP goes to the end of a list, and is
 * answered with the length of the list. {@code NettyQueueService BROKER_PORT} prints its own port.
 */
final class NettyQueueService {
    public static void main(String[] arguments) throws Exception {
        RedisClient broker = RedisClient.create("127.0.0.1", Integer.parseInt(arguments[0]));
        NettyLines.serve(
                () ->
                        new SimpleChannelInboundHandler<String>() {
                            @Override
                            protected void channelRead0(ChannelHandlerContext peer, String line) {
                                peer.writeAndFlush(broker.rpush("message_queue", line) + "\n");
                            }
                        });
    }
}
