# Ruby's redis, which speaks RESP2.

require "redis"
require "timeout"

CHECK_TIMEOUT_S = 30
BINARY = ((0..255).to_a.pack("C*") + "\r\n$5\r\n\0").b.freeze

def connect
  Redis.new(port: Integer(ENV.fetch("SERVER_PORT")))
end

CLIENT = connect
OTHER = connect

def expect(expected, actual)
  return if expected == actual
  raise "expected #{expected.inspect[0, 200]}, got #{actual.inspect[0, 200]}"
end

def wait_until(what)
  deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 20
  until yield
    raise "not within 20 s: #{what}" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
    sleep 0.005
  end
end

# Starts a blocking call on a connection of its own, does the rest once it waits, and returns the
# call's reply.
def while_blocked(call)
  waiting = Thread.new { call.(connect) }
  waiting.report_on_exception = false
  wait_until("a blocked client") do
    OTHER.call(["CLIENT", "LIST"]).to_s.match?(/\bflags=\w*b/)
  end
  yield
  waiting.value
end

CHECKS = {
  "push and pop" => lambda do
    expect 3, CLIENT.rpush("q", %w[a b c])
    expect 4, CLIENT.lpush("q", "z")
    expect %w[z a b c], CLIENT.lrange("q", 0, -1)
    expect "z", CLIENT.lpop("q")
    expect %w[c b], CLIENT.rpop("q", 2)
    expect "a", CLIENT.lmove("q", "r", "LEFT", "RIGHT")
    expect nil, CLIENT.lpop("q")
  end,

  "pop with timeout" => lambda do
    expect nil, CLIENT.blpop("q", timeout: 0.05)
    expect nil, CLIENT.brpop("q", "r", timeout: 0.05)
    CLIENT.rpush("r", %w[there already])
    expect %w[r there], CLIENT.blpop("q", "r", timeout: 1)
  end,

  "blocked pop is served" => lambda do
    popped = while_blocked(->(client) { client.blpop("q", "r", timeout: 0) }) do
      expect 2, OTHER.rpush("r", %w[x y])
    end
    expect %w[r x], popped

    moved = while_blocked(->(client) { client.blmove("q", "r", "LEFT", "RIGHT", timeout: 0) }) do
      expect 1, OTHER.rpush("q", "z")
    end
    expect "z", moved
    expect %w[y z], OTHER.lrange("r", 0, -1)
  end,

  "pipeline" => lambda do
    replies = CLIENT.pipelined do |batch|
      (1..1000).each { |number| batch.rpush("q", number) }
      batch.lrange("q", 0, -1)
    end
    expect (1..1000).map(&:to_s), replies.pop
    expect (1..1000).to_a, replies
    begin
      CLIENT.call(["NOSUCHCOMMAND"])
      raise "no error"
    rescue Redis::CommandError => error
      expect true, error.message.include?("unknown command")
    end
  end,

  "transaction" => lambda do
    done = CLIENT.multi do |batch|
      batch.rpush("q", "a")
      batch.rpush("q", "b")
      batch.lpop("q")
    end
    expect [1, 2, "a"], done
  end,

  "watched transaction with conflict" => lambda do
    done = CLIENT.watch("q") do
      OTHER.rpush("q", "first")
      CLIENT.multi { |batch| batch.rpush("q", "second") }
    end
    expect nil, done
    expect ["first"], CLIENT.lrange("q", 0, -1)
  end,

  "publish and subscribe" => lambda do
    subscriber = connect
    received = []
    # What is published, and when to stop, follows from what has arrived. The library ends the
    # subscription by itself once nothing is left of it.
    subscriber.psubscribe("n?ws*") do |on|
      on.psubscribe { subscriber.subscribe("news") }
      on.subscribe { expect 2, OTHER.publish("news", BINARY) }
      on.message { |channel, data| received << [channel, data.b] }
      on.pmessage do |pattern, channel, data|
        received << [pattern, channel, data.b]
        channel == "news" ? subscriber.unsubscribe("news") : subscriber.punsubscribe("n?ws*")
      end
      on.unsubscribe { expect 1, OTHER.publish("news.sport", "goal") }
    end
    expect [["news", BINARY], ["n?ws*", "news", BINARY], ["n?ws*", "news.sport", "goal"]], received
    expect 0, OTHER.publish("news", "nobody")
    expect 1, subscriber.rpush("q", "commands again")
    subscriber.close
  end,

  "binary payloads" => lambda do
    expect 2, CLIENT.rpush(BINARY, [BINARY, ""])
    expect [BINARY], CLIENT.keys("*").map(&:b)
    expect BINARY, CLIENT.lpop(BINARY).b
    expect "", CLIENT.lpop(BINARY)
  end,

  "ten megabytes" => lambda do
    large = Random.bytes(10_000_000)
    expect 2, CLIENT.rpush("q", [large, large])
    expect true, CLIENT.lrange("q", 0, -1).map(&:b) == [large, large]
    expect true, CLIENT.lpop("q").b == large
  end,

  "reconnect after kill" => lambda do
    victim = connect
    identity = victim.call(["CLIENT", "ID"])
    expect 1, OTHER.call(["CLIENT", "KILL", "ID", identity])
    expect "PONG", victim.ping
    expect true, victim.call(["CLIENT", "ID"]) > identity
  end,
}

$stdout.sync = true
failed = false
CHECKS.each do |name, check|
  name = "ruby redis #{Redis::VERSION}: #{name}"
  begin
    Timeout.timeout(CHECK_TIMEOUT_S) do
      OTHER.flushall
      check.call
    end
    puts "ok #{name}"
  rescue StandardError => error
    failed = true
    puts "FAILED #{name}", error.full_message(highlight: false).gsub(/^/, "    ")
  end
end
exit!(failed ? 1 : 0)
