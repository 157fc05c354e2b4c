<?php
// Laravel's queue: laravel.php produce KIND FIRST LAST | work.

require_once "Illuminate/Queue/autoload.php";
require_once "Illuminate/Redis/autoload.php";
require_once "Illuminate/Events/autoload.php";

use Illuminate\Container\Container;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Events\Dispatcher;
use Illuminate\Queue\Capsule\Manager;
use Illuminate\Queue\Worker;
use Illuminate\Queue\WorkerOptions;
use Illuminate\Redis\RedisManager;

final class Work
{
    public function fire($job, array $data): void
    {
        ["kind" => $kind, "number" => $number] = $data;
        if ($kind === "flaky" && $this->isFirstTime($number)) {
            throw new RuntimeException("job $number fails once");
        }
        if ($kind === "slow" && $this->isFirstTime($number)) {
            $this->write("begun", $number);
            sleep(600);
        }
        $this->write("done", $number);
        $job->delete();
    }

    /** Adds a line in one write, so that processes do not write into each other's lines. */
    private function write(string $word, int $number): void
    {
        file_put_contents(getenv("LEDGER"), sprintf("%s %d %.3f\n", $word, $number, microtime(true)), FILE_APPEND);
    }

    private function isFirstTime(int $number): bool
    {
        $file = @fopen(dirname(getenv("LEDGER")) . "/tried-$number", "x");
        return $file !== false && fclose($file);
    }
}

final class Silent implements ExceptionHandler
{
    public function report(Throwable $e) {}
    public function shouldReport(Throwable $e) { return false; }
    public function render($request, Throwable $e) {}
    public function renderForConsole($output, Throwable $e) {}
}

$container = new Container();
$events = new Dispatcher($container);
$container->instance("events", $events);
$redis = new RedisManager($container, "phpredis", [
    "default" => ["host" => "127.0.0.1", "port" => (int) getenv("BROKER_PORT"), "database" => 0, "read_timeout" => 10],
]);
$container->instance("redis", $redis);
$manager = new Manager($container);
$manager->addConnection(["driver" => "redis", "connection" => "default", "queue" => "jobs", "retry_after" => 3, "block_for" => 1]);

[, $command] = $argv;
if ($command === "produce") {
    [, , $kind, $first, $last] = $argv;
    for ($number = (int) $first; $number < (int) $last; $number++) {
        for (;;) {
            try {
                $data = ["kind" => $kind, "number" => $number];
                $queue = $manager->getConnection();
                $kind === "later" ? $queue->later(2, Work::class, $data) : $queue->push(Work::class, $data);
                break;
            } catch (Throwable $error) {
                echo "again $number {$error->getMessage()}\n";
                $redis->purge("default");
                usleep(50_000);
            }
        }
        echo "ok $number\n";
    }
} else {
    $worker = new Worker($manager->getQueueManager(), $events, new Silent(), fn() => false);
    $options = new WorkerOptions("default", 0, 128, 600, 0, 3);
    // A worker ends when its connection is lost; a supervisor starts it again.
    $events->listen(Illuminate\Queue\Events\JobProcessing::class, fn() => null);
    $worker->daemon("default", "jobs", $options);
}
