"""An HTTP front of a queue: what is posted to /queue goes to the end of a list."""

import sys

import redis
import tornado.httpserver
import tornado.ioloop
import tornado.netutil
import tornado.web


class Queue(tornado.web.RequestHandler):
    def initialize(self, client):
        self.client = client

    def post(self):
        length = self.client.rpush("message_queue", self.request.body)
        self.set_status(202)
        self.write({"queued": length})


def main(redis_port):
    client = redis.Redis(port=redis_port)
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    application = tornado.web.Application([("/queue", Queue, {"client": client})])
    tornado.httpserver.HTTPServer(application).add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    tornado.ioloop.IOLoop.current().start()


main(int(sys.argv[1]))
