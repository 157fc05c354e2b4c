import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;

/**
 * Sends messages to a {@link NettyQueueService}, a line each, and ends when all are in the queue:
 * {@code NettyQueueProducer SERVICE_PORT COUNT}.
 */
final class NettyQueueProducer {
    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(arguments[1]);
        Channel service =
                NettyLines.connect(
                        Integer.parseInt(arguments[0]),
                        new SimpleChannelInboundHandler<String>() {
                            private int queued;

                            @Override
                            protected void channelRead0(ChannelHandlerContext peer, String line) {
                                queued++;
                                if (queued == count) {
                                    peer.close();
                                }
                            }
                        });
        for (int number = 0; number < count; number++) {
            service.write("message " + number + " grün\n");
        }
        service.flush();
        service.closeFuture().sync();
        System.exit(0);
    }
}
