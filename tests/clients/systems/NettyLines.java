import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.LineBasedFrameDecoder;
import io.netty.handler.codec.string.StringDecoder;
import io.netty.handler.codec.string.StringEncoder;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.function.Supplier;

/** Netty's servers and clients for lines of text in UTF-8. */
final class NettyLines {
    private static final int LINE_BYTES_MAX = 64 * 1024;

    private static final EventLoopGroup LOOPS =
            new MultiThreadIoEventLoopGroup(NioIoHandler.newFactory());

    /** Listens on a free port, prints it, and serves each peer until the process is ended. */
    static void serve(Supplier<ChannelHandler> handler) throws InterruptedException {
        ServerBootstrap server = new ServerBootstrap();
        server.group(LOOPS).channel(NioServerSocketChannel.class).childHandler(pipeline(handler));
        Channel listener = server.bind("127.0.0.1", 0).sync().channel();
        System.out.println(((InetSocketAddress) listener.localAddress()).getPort());
        listener.closeFuture().sync();
    }

    static Channel connect(int port, ChannelHandler handler) throws InterruptedException {
        Bootstrap client = new Bootstrap();
        client.group(LOOPS).channel(NioSocketChannel.class).handler(pipeline(() -> handler));
        return client.connect("127.0.0.1", port).sync().channel();
    }

    private static ChannelInitializer<Channel> pipeline(Supplier<ChannelHandler> handler) {
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel channel) {
                channel.pipeline()
                        .addLast(new LineBasedFrameDecoder(LINE_BYTES_MAX))
                        .addLast(new StringDecoder(StandardCharsets.UTF_8))
                        .addLast(new StringEncoder(StandardCharsets.UTF_8))
                        .addLast(handler.get());
            }
        };
    }
}
