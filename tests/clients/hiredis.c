// hiredis, with the protocol that is asked for: 2 by the library's default, 3 through HELLO.

#include <hiredis/hiredis.h>

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BINARY_BYTES (256 + 8)
#define LARGE_BYTES 10000000
#define CHECK_TIMEOUT_S 30
#define STRING(value) STRING_OF(value)
#define STRING_OF(value) #value

// A check returns what it found wrong, or nothing.
#define EXPECT(condition)                                              \
    do {                                                               \
        if (!(condition)) return "line " STRING(__LINE__) ": " #condition; \
    } while (0)

static int protocol;
static redisContext *client;
static redisContext *other;
static char binary[BINARY_BYTES];
static char large[LARGE_BYTES];

static const char *why(redisReply *reply) {
    return reply != NULL && reply->str != NULL ? reply->str : "";
}

static bool hello(redisContext *context) {
    if (protocol == 2) return true;
    redisReply *reply = redisCommand(context, "HELLO %d", protocol);
    if (reply == NULL) {
        printf("    HELLO %d: %s\n", protocol, context->errstr);
        return false;
    }
#ifdef REDIS_REPLY_MAP
    bool agreed = reply->type == REDIS_REPLY_MAP;
#else
    bool agreed = false;
#endif
    freeReplyObject(reply);
    return agreed;
}

static redisContext *open_connection(void) {
    redisContext *context = redisConnect("127.0.0.1", atoi(getenv("SERVER_PORT")));
    if (context == NULL || context->err || !hello(context)) {
        printf("    no connection: %s\n", context ? context->errstr : "no memory");
        exit(1);
    }
#ifdef REDIS_REPLY_PUSH
    redisSetPushCallback(context, NULL); // So that redisGetReply gives published messages too.
#endif
    return context;
}

static redisReply *next_reply(redisContext *context) {
    void *reply = NULL;
    if (redisGetReply(context, &reply) != REDIS_OK) printf("    %s\n", context->errstr);
    return reply;
}

static redisReply *ask(redisContext *context, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(context, format, arguments);
    va_end(arguments);
    return reply;
}

// Sends a command whose reply is for later.
static bool start(redisContext *context, const char *command) {
    int done = 0;
    redisAppendCommand(context, command);
    while (!done)
        if (redisBufferWrite(context, &done) != REDIS_OK) return false;
    return true;
}

// Questions to a reply, which end it.

static bool answer(redisReply *reply, bool yes) {
    if (!yes)
        printf("    the reply: type %d, integer %lld, elements %zu, text %.100s\n",
               reply ? reply->type : 0, reply ? reply->integer : 0, reply ? reply->elements : 0,
               why(reply));
    freeReplyObject(reply);
    return yes;
}

static bool is_integer(redisReply *reply, long long value) {
    return answer(reply, reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == value);
}

static bool holds(const redisReply *reply, const char *bytes, size_t length) {
    return reply->type == REDIS_REPLY_STRING && (size_t)reply->len == length &&
           memcmp(reply->str, bytes, length) == 0;
}

static bool is_bytes(redisReply *reply, const char *bytes, size_t length) {
    return answer(reply, reply && holds(reply, bytes, length));
}

static bool is_text(redisReply *reply, const char *text) {
    return is_bytes(reply, text, strlen(text));
}

static bool is_status(redisReply *reply, const char *text) {
    bool status = reply && reply->type == REDIS_REPLY_STATUS;
    return answer(reply, status && strcmp(reply->str, text) == 0);
}

static bool is_nil(redisReply *reply) {
    return answer(reply, reply && reply->type == REDIS_REPLY_NIL);
}

static bool is_error(redisReply *reply, const char *part) {
    bool error = reply && reply->type == REDIS_REPLY_ERROR;
    return answer(reply, error && strstr(reply->str, part) != NULL);
}

static bool is_texts(redisReply *reply, size_t count, const char *const texts[]) {
    bool same = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == count;
    for (size_t i = 0; same && i < count; i++)
        same = holds(reply->element[i], texts[i], strlen(texts[i]));
    return answer(reply, same);
}

#define TEXTS(...)                                                   \
    sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *), \
        (const char *[]) { __VA_ARGS__ }

// A message that nobody asked for: an array, and a push in the newer protocol.
static bool is_pushed(const redisReply *reply, size_t elements, const char *kind) {
#ifdef REDIS_REPLY_PUSH
    int type = protocol == 3 ? REDIS_REPLY_PUSH : REDIS_REPLY_ARRAY;
#else
    int type = REDIS_REPLY_ARRAY;
#endif
    return reply && reply->type == type && reply->elements == elements &&
           holds(reply->element[0], kind, strlen(kind));
}

static bool is_confirmation(redisReply *reply, const char *kind, const char *name, long long count) {
    bool same = is_pushed(reply, 3, kind) && holds(reply->element[1], name, strlen(name)) &&
                reply->element[2]->integer == count;
    return answer(reply, same);
}

static bool is_message(redisReply *reply, const char *channel, const char *data, size_t length) {
    bool same = is_pushed(reply, 3, "message") &&
                holds(reply->element[1], channel, strlen(channel)) &&
                holds(reply->element[2], data, length);
    return answer(reply, same);
}

static bool is_pattern_message(redisReply *reply, const char *pattern, const char *channel,
                               const char *data, size_t length) {
    bool same = is_pushed(reply, 4, "pmessage") &&
                holds(reply->element[1], pattern, strlen(pattern)) &&
                holds(reply->element[2], channel, strlen(channel)) &&
                holds(reply->element[3], data, length);
    return answer(reply, same);
}

// Waits until CLIENT LIST shows a client that waits in a blocking command.
static bool wait_until_blocked(redisContext *context) {
    time_t deadline = time(NULL) + 20;
    while (time(NULL) < deadline) {
        redisReply *reply = ask(context, "CLIENT LIST");
        bool blocked = false;
        for (const char *at = reply ? reply->str : NULL; at && (at = strstr(at, " flags="));) {
            at += strlen(" flags=");
            blocked |= memchr(at, 'b', strcspn(at, " ")) != NULL;
        }
        freeReplyObject(reply);
        if (blocked) return true;
        usleep(5000);
    }
    return false;
}

static long long client_id(redisContext *context) {
    redisReply *reply = ask(context, "CLIENT ID");
    long long identity = reply ? reply->integer : 0;
    freeReplyObject(reply);
    return identity;
}

static const char *speaks_the_protocol(void) {
    char entry[64], version[64];
    snprintf(entry, sizeof entry, "id=%lld ", client_id(client));
    snprintf(version, sizeof version, " resp=%d", protocol);
    redisReply *reply = ask(other, "CLIENT LIST");
    EXPECT(reply);
    char *line = strstr(reply->str, entry);
    EXPECT(line);
    line[strcspn(line, "\n")] = 0;
    EXPECT(strstr(line, version));
    freeReplyObject(reply);
    return NULL;
}

static const char *push_and_pop(void) {
    EXPECT(is_integer(ask(client, "RPUSH q a b c"), 3));
    EXPECT(is_integer(ask(client, "LPUSH q %s", "z"), 4));
    EXPECT(is_texts(ask(client, "LRANGE q 0 -1"), TEXTS("z", "a", "b", "c")));
    EXPECT(is_text(ask(client, "LPOP q"), "z"));
    EXPECT(is_texts(ask(client, "RPOP q 2"), TEXTS("c", "b")));
    EXPECT(is_text(ask(client, "LMOVE q r LEFT RIGHT"), "a"));
    EXPECT(is_nil(ask(client, "LPOP q")));
    return NULL;
}

static const char *pop_with_timeout(void) {
    EXPECT(is_nil(ask(client, "BLPOP q 0.05")));
    EXPECT(is_nil(ask(client, "BRPOP q r 0.05")));
    EXPECT(is_integer(ask(client, "RPUSH r there already"), 2));
    EXPECT(is_texts(ask(client, "BLPOP q r 1"), TEXTS("r", "there")));
    return NULL;
}

static const char *blocked_pop_is_served(void) {
    EXPECT(start(client, "BLPOP q r 0"));
    EXPECT(wait_until_blocked(other));
    EXPECT(is_integer(ask(other, "RPUSH r x y"), 2));
    EXPECT(is_texts(next_reply(client), TEXTS("r", "x")));

    EXPECT(start(client, "BLMOVE q r LEFT RIGHT 0"));
    EXPECT(wait_until_blocked(other));
    EXPECT(is_integer(ask(other, "RPUSH q z"), 1));
    EXPECT(is_text(next_reply(client), "z"));
    EXPECT(is_texts(ask(other, "LRANGE r 0 -1"), TEXTS("y", "z")));
    return NULL;
}

static const char *pipeline(void) {
    for (int number = 1; number <= 1000; number++) redisAppendCommand(client, "RPUSH q %d", number);
    redisAppendCommand(client, "NOSUCHCOMMAND");
    redisAppendCommand(client, "LLEN q");
    for (int number = 1; number <= 1000; number++) EXPECT(is_integer(next_reply(client), number));
    EXPECT(is_error(next_reply(client), "unknown command"));
    EXPECT(is_integer(next_reply(client), 1000));
    return NULL;
}

static const char *transaction(void) {
    EXPECT(is_status(ask(client, "MULTI"), "OK"));
    EXPECT(is_status(ask(client, "RPUSH q a"), "QUEUED"));
    EXPECT(is_status(ask(client, "RPUSH q b"), "QUEUED"));
    EXPECT(is_status(ask(client, "LPOP q"), "QUEUED"));
    redisReply *done = ask(client, "EXEC");
    EXPECT(done && done->type == REDIS_REPLY_ARRAY && done->elements == 3);
    EXPECT(done->element[0]->integer == 1 && done->element[1]->integer == 2);
    EXPECT(holds(done->element[2], "a", 1));
    freeReplyObject(done);
    return NULL;
}

static const char *watched_transaction_with_conflict(void) {
    EXPECT(is_status(ask(client, "WATCH q"), "OK"));
    EXPECT(is_integer(ask(other, "RPUSH q first"), 1));
    EXPECT(is_status(ask(client, "MULTI"), "OK"));
    EXPECT(is_status(ask(client, "RPUSH q second"), "QUEUED"));
    EXPECT(is_nil(ask(client, "EXEC")));
    EXPECT(is_texts(ask(client, "LRANGE q 0 -1"), TEXTS("first")));
    return NULL;
}

static const char *publish_and_subscribe(void) {
    redisContext *subscriber = open_connection();
    EXPECT(is_confirmation(ask(subscriber, "SUBSCRIBE news"), "subscribe", "news", 1));
    EXPECT(is_confirmation(ask(subscriber, "PSUBSCRIBE n?ws*"), "psubscribe", "n?ws*", 2));
    EXPECT(is_integer(ask(other, "PUBLISH news %b", binary, (size_t)BINARY_BYTES), 2));
    EXPECT(is_message(next_reply(subscriber), "news", binary, BINARY_BYTES));
    EXPECT(is_pattern_message(next_reply(subscriber), "n?ws*", "news", binary, BINARY_BYTES));

    EXPECT(is_confirmation(ask(subscriber, "UNSUBSCRIBE news"), "unsubscribe", "news", 1));
    EXPECT(is_integer(ask(other, "PUBLISH news.sport goal"), 1));
    EXPECT(is_pattern_message(next_reply(subscriber), "n?ws*", "news.sport", "goal", 4));
    if (protocol == 3) {
        // Any command, with the messages before its reply.
        EXPECT(is_integer(ask(other, "PUBLISH news again"), 1));
        EXPECT(start(subscriber, "LLEN q"));
        EXPECT(is_pattern_message(next_reply(subscriber), "n?ws*", "news", "again", 5));
        EXPECT(is_integer(next_reply(subscriber), 0));
    } else {
        EXPECT(is_error(ask(subscriber, "LLEN q"), "only (P|S)SUBSCRIBE"));
    }
    EXPECT(is_confirmation(ask(subscriber, "PUNSUBSCRIBE"), "punsubscribe", "n?ws*", 0));
    EXPECT(is_integer(ask(other, "PUBLISH news nobody"), 0));
    redisFree(subscriber);
    return NULL;
}

static const char *binary_payloads(void) {
    size_t bytes = BINARY_BYTES;
    EXPECT(is_integer(ask(client, "RPUSH %b %b %b", binary, bytes, binary, bytes, "", (size_t)0), 2));
    EXPECT(is_bytes(ask(client, "LPOP %b", binary, bytes), binary, bytes));
    EXPECT(is_bytes(ask(client, "LPOP %b", binary, bytes), "", 0));
    return NULL;
}

static const char *ten_megabytes(void) {
    size_t bytes = LARGE_BYTES;
    EXPECT(is_integer(ask(client, "RPUSH q %b %b", large, bytes, large, bytes), 2));
    EXPECT(is_bytes(ask(client, "LINDEX q 1"), large, bytes));
    EXPECT(is_bytes(ask(client, "LPOP q"), large, bytes));

    redisContext *subscriber = open_connection();
    EXPECT(is_confirmation(ask(subscriber, "SUBSCRIBE large"), "subscribe", "large", 1));
    EXPECT(is_integer(ask(client, "PUBLISH large %b", large, bytes), 1));
    EXPECT(is_message(next_reply(subscriber), "large", large, bytes));
    redisFree(subscriber);
    return NULL;
}

static const char *reconnect_after_kill(void) {
    redisContext *victim = open_connection();
    long long identity = client_id(victim);
    EXPECT(is_integer(ask(other, "CLIENT KILL ID %lld", identity), 1));
    EXPECT(ask(victim, "PING") == NULL);
    EXPECT(victim->err == REDIS_ERR_EOF || victim->err == REDIS_ERR_IO);
    EXPECT(redisReconnect(victim) == REDIS_OK && hello(victim));
    EXPECT(is_status(ask(victim, "PING"), "PONG"));
    EXPECT(client_id(victim) > identity);
    redisFree(victim);
    return NULL;
}

typedef struct {
    const char *name;
    const char *(*check)(void);
} Check;

static const Check checks[] = {
    {"speaks the protocol", speaks_the_protocol},
    {"push and pop", push_and_pop},
    {"pop with timeout", pop_with_timeout},
    {"blocked pop is served", blocked_pop_is_served},
    {"pipeline", pipeline},
    {"transaction", transaction},
    {"watched transaction with conflict", watched_transaction_with_conflict},
    {"publish and subscribe", publish_and_subscribe},
    {"binary payloads", binary_payloads},
    {"ten megabytes", ten_megabytes},
    {"reconnect after kill", reconnect_after_kill},
};

int main(int count, char **arguments) {
    protocol = atoi(arguments[count - 1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < BINARY_BYTES; i++) binary[i] = i < 256 ? i : "\r\n$5\r\n\0"[i - 256];
    for (int i = 0; i < LARGE_BYTES; i++) large[i] = binary[i % BINARY_BYTES];

    bool failed = false;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        alarm(CHECK_TIMEOUT_S);
        client = open_connection();
        other = open_connection();
        is_status(ask(other, "FLUSHALL"), "OK");
        const char *wrong = checks[i].check();
        printf("%s hiredis %d.%d.%d, protocol %d: %s\n", wrong ? "FAILED" : "ok", HIREDIS_MAJOR,
               HIREDIS_MINOR, HIREDIS_PATCH, protocol, checks[i].name);
        if (wrong) printf("    %s\n", wrong);
        failed |= wrong != NULL;
        redisFree(client);
        redisFree(other);
    }
    return failed;
}
