# Perl's Redis, which speaks RESP2. Where two have to act at once, the other is a child.

use strict;
use warnings;

use POSIX ();
use Redis;
use Time::HiRes qw(sleep time);

my $check_timeout_s = 30;
my $binary = join('', map { chr } 0 .. 255) . "\r\n\$5\r\n\0";

sub connect_to_server {
    return Redis->new(
        server => "127.0.0.1:$ENV{SERVER_PORT}",
        reconnect => 10,
        every => 10_000,
        @_,
    );
}

my $client = connect_to_server();
my $other = connect_to_server();

sub shown {
    my ($value) = @_;
    return 'nothing' if !defined $value;
    return '[' . join(', ', map { shown($_) } @$value) . ']' if ref $value;
    return length($value) > 200 ? substr($value, 0, 200) . '...' : $value;
}

sub same {
    my ($left, $right) = @_;
    return !defined $left && !defined $right if !defined $left || !defined $right;
    return $left eq $right if !ref $left && !ref $right;
    return 0 if !ref $left || !ref $right || @$left != @$right;
    same($left->[$_], $right->[$_]) || return 0 for 0 .. $#$left;
    return 1;
}

sub expect {
    my ($expected, $actual) = @_;
    return if same($expected, $actual);
    my $line = (caller)[2];
    die "line $line: expected " . shown($expected) . ', got ' . shown($actual) . "\n";
}

sub wait_until {
    my ($what, $condition) = @_;
    my $deadline = time() + 20;
    until ($condition->()) {
        die "not within 20 s: $what\n" if time() > $deadline;
        sleep 0.005;
    }
}

# Makes a blocking call while a child, once we wait, does the rest with a connection of its own.
sub while_blocked {
    my ($call, $then) = @_;
    my $child = fork // die "no fork: $!\n";
    if ($child == 0) {
        my $done = eval {
            my $pusher = connect_to_server();
            wait_until('a blocked client', sub { $pusher->client_list() =~ /\bflags=\w*b/ });
            $then->($pusher);
            1;
        };
        print "    in the child: $@" if !$done;
        POSIX::_exit($done ? 0 : 1);
    }
    my @reply = $call->();
    waitpid $child, 0;
    expect(0, $?);
    return \@reply;
}

sub push_and_pop {
    expect(3, $client->rpush('q', 'a', 'b', 'c'));
    expect(4, $client->lpush('q', 'z'));
    expect(['z', 'a', 'b', 'c'], [$client->lrange('q', 0, -1)]);
    expect('z', $client->lpop('q'));
    expect(['c', 'b'], [$client->rpop('q', 2)]);
    expect('a', $client->lmove('q', 'r', 'LEFT', 'RIGHT'));
    expect(undef, scalar $client->lpop('q'));
}

sub pop_with_timeout {
    expect(undef, scalar $client->blpop('q', 0.05));
    expect(undef, scalar $client->brpop('q', 'r', 0.05));
    $client->rpush('r', 'there', 'already');
    expect(['r', 'there'], [$client->blpop('q', 'r', 1)]);
}

sub blocked_pop_is_served {
    my $popped = while_blocked(
        sub { $client->blpop('q', 'r', 0) },
        sub { expect(2, $_[0]->rpush('r', 'x', 'y')) },
    );
    expect(['r', 'x'], $popped);

    my $moved = while_blocked(
        sub { $client->blmove('q', 'r', 'LEFT', 'RIGHT', 0) },
        sub { expect(1, $_[0]->rpush('q', 'z')) },
    );
    expect(['z'], $moved);
    expect(['y', 'z'], [$other->lrange('r', 0, -1)]);
}

sub pipeline {
    my (@lengths, $error, $elements);
    for my $number (1 .. 1000) {
        $client->rpush('q', $number, sub { push @lengths, $_[0] });
    }
    $client->nosuchcommand(sub { $error = $_[1] });
    $client->lrange('q', 0, -1, sub { $elements = $_[0] });
    $client->wait_all_responses;
    expect([1 .. 1000], \@lengths);
    expect(1, scalar $error =~ /unknown command/);
    expect([1 .. 1000], $elements);
}

sub transaction {
    $client->multi;
    expect('QUEUED', $client->rpush('q', 'a'));
    expect('QUEUED', $client->rpush('q', 'b'));
    expect('QUEUED', scalar $client->lpop('q'));
    expect([1, 2, 'a'], [$client->exec]);
}

sub watched_transaction_with_conflict {
    $client->watch('q');
    $other->rpush('q', 'first');
    $client->multi;
    $client->rpush('q', 'second');
    expect(undef, scalar $client->exec);
    expect(['first'], [$client->lrange('q', 0, -1)]);
}

sub publish_and_subscribe {
    my $subscriber = connect_to_server();
    my @received;
    # The data, the channel it was published on, and the channel or pattern that it came for.
    my $note = sub { push @received, [@_[0 .. 2]] };
    $subscriber->subscribe('news', $note);
    $subscriber->psubscribe('n?ws*', $note);
    expect(2, $other->publish('news', $binary));
    $subscriber->wait_for_messages(1) while @received < 2;
    $subscriber->unsubscribe('news', $note);
    expect(1, $other->publish('news.sport', 'goal'));
    $subscriber->wait_for_messages(1) while @received < 3;
    expect(
        [
            [$binary, 'news', 'news'],
            [$binary, 'news', 'n?ws*'],
            ['goal', 'news.sport', 'n?ws*'],
        ],
        \@received,
    );
    $subscriber->punsubscribe('n?ws*', $note);
    expect(0, $other->publish('news', 'nobody'));
    expect(1, $subscriber->rpush('q', 'commands again'));
    $subscriber->quit;
}

sub binary_payloads {
    expect(2, $client->rpush($binary, $binary, ''));
    expect([$binary], [$client->keys('*')]);
    expect($binary, scalar $client->lpop($binary));
    expect('', scalar $client->lpop($binary));
}

sub ten_megabytes {
    my $large = substr $binary x (10_000_000 / length($binary) + 1), 0, 10_000_000;
    expect(2, $client->rpush('q', $large, $large));
    expect([$large, $large], [$client->lrange('q', 0, -1)]);
    expect($large, scalar $client->lpop('q'));
}

# The library looks whether its connection still stands before it sends, and connects again where it
# does not. That works if the connection has gone when CLIENT KILL is answered, each time.
sub reconnect_after_kill {
    my $victim = connect_to_server();
    for my $time (1 .. 20) {
        my $identity = $victim->client_id;
        expect(1, $other->client_kill('ID', $identity));
        expect('PONG', $victim->ping);
        expect(1, $victim->client_id > $identity);
    }
}

my @checks = (
    ['push and pop', \&push_and_pop],
    ['pop with timeout', \&pop_with_timeout],
    ['blocked pop is served', \&blocked_pop_is_served],
    ['pipeline', \&pipeline],
    ['transaction', \&transaction],
    ['watched transaction with conflict', \&watched_transaction_with_conflict],
    ['publish and subscribe', \&publish_and_subscribe],
    ['binary payloads', \&binary_payloads],
    ['ten megabytes', \&ten_megabytes],
    ['reconnect after kill', \&reconnect_after_kill],
);

$| = 1;
my $failed = 0;
for (@checks) {
    my ($name, $check) = @$_;
    $name = "perl Redis @{[Redis->VERSION]}: $name";
    my $passed = eval {
        local $SIG{ALRM} = sub { die "the check does not end\n" };
        alarm $check_timeout_s;
        $other->flushall;
        $check->();
        1;
    };
    my $error = $@;
    alarm 0;
    print $passed ? "ok $name\n" : "FAILED $name\n" . ($error =~ s/^/    /mgr) . "\n";
    $failed ||= !$passed;
}
POSIX::_exit($failed ? 1 : 0);
