# Sidekiq: sidekiq_app.rb produce KIND FIRST LAST, and as what `sidekiq -r` loads.

require "fileutils"
require "sidekiq"

URL = "redis://127.0.0.1:#{ENV.fetch("BROKER_PORT")}/0"
LEDGER = ENV.fetch("LEDGER")

Sidekiq.configure_server do |config|
  config.redis = { url: URL }
  config.options[:poll_interval_average] = 1
end
Sidekiq.configure_client { |config| config.redis = { url: URL } }

class Work
  include Sidekiq::Worker
  sidekiq_options retry: 3, queue: "jobs"
  sidekiq_retry_in { 1 }

  def perform(kind, number)
    raise "job #{number} fails once" if kind == "flaky" && first_time?(number)
    if kind == "slow" && first_time?(number)
      write("begun", number)
      sleep(600)
    end
    write("done", number)
  end

  private

  # Adds a line in one write, so that processes do not write into each other's lines.
  def write(word, number)
    File.open(LEDGER, "a") { |file| file.syswrite("#{word} #{number} #{Time.now.to_f.round(3)}\n") }
  end

  def first_time?(number)
    File.open(File.join(File.dirname(LEDGER), "tried-#{number}"), File::WRONLY | File::CREAT | File::EXCL).close
    true
  rescue Errno::EEXIST
    false
  end
end

def enqueue(kind, number)
  kind == "later" ? Work.perform_in(2, kind, number) : Work.perform_async(kind, number)
end

if ARGV[0] == "produce"
  $stdout.sync = true
  (Integer(ARGV[2])...Integer(ARGV[3])).each do |number|
    begin
      enqueue(ARGV[1], number)
    rescue StandardError => error
      puts "again #{number} #{error.message}"
      sleep(0.05)
      retry
    end
    puts "ok #{number}"
  end
end
