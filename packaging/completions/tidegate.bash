# Made from the tables in the source by `UPDATE_PACKAGING=1 cargo test --test packaging`.
_tidegate() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} values=
    COMPREPLY=()
    case $previous in
        --tls-auth-clients) values='no yes optional' ;;
        --tls-auth-clients-user) values='CN off' ;;
        --tls-replication) values='yes no' ;;
        --tls-cluster) values='yes no' ;;
        --tls-prefer-server-ciphers) values='yes no' ;;
        --tls-session-caching) values='yes no' ;;
        --acl-pubsub-default) values='allchannels resetchannels' ;;
        --protected-mode) values='yes no' ;;
        --appendonly) values='yes no' ;;
        --appendfsync) values='everysec always no' ;;
        --aof-load-truncated) values='yes no' ;;
        --aof-load-unverified) values='yes no' ;;
        --rdbcompression) values='yes no' ;;
        --replica-ignore-unsupported-keys) values='yes no' ;;
        --stop-writes-on-bgsave-error) values='yes no' ;;
        --enable-debug-command) values='no yes local' ;;
        --enable-protected-configs) values='no yes local' ;;
        --latency-tracking) values='yes no' ;;
        --loglevel) values='debug verbose notice warning' ;;
        --daemonize) values='yes no' ;;
        --supervised) values='no systemd auto' ;;
        --allow-replicaof-command) values='no yes local' ;;
        --replica-serve-stale-data) values='yes no' ;;
        --replica-announced) values='yes no' ;;
        --replica-safe-restart) values='yes no' ;;
        --check-config) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        check) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
        repair) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
        --unixsocket) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --tls-cert-file) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --tls-key-file) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --tls-ca-cert-file) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --tls-ca-cert-dir) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --tls-client-cert-file) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --tls-client-key-file) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --aclfile) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --logfile) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --pidfile) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --dir) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    esac
    if [[ -n $values ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
        return
    fi
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W '--check-config top check repair --help --version' -- "$current"; compgen -f -- "$current")
    fi
    if [[ $current == -* ]]; then
        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W '
            --port
            --bind
            --unixsocket
            --unixsocketperm
            --tls-port
            --tls-cert-file
            --tls-key-file
            --tls-key-file-pass
            --tls-ca-cert-file
            --tls-ca-cert-dir
            --tls-auth-clients
            --tls-auth-clients-user
            --tls-replication
            --tls-cluster
            --tls-client-cert-file
            --tls-client-key-file
            --tls-client-key-file-pass
            --tls-protocols
            --tls-ciphers
            --tls-ciphersuites
            --tls-prefer-server-ciphers
            --tls-session-caching
            --tls-session-cache-size
            --tls-session-cache-timeout
            --tls-handshake-timeout
            --max-new-tls-connections-per-cycle
            --http-port
            --http-tls-port
            --http-bind
            --http-push-paths
            --http-allowed-origins
            --http-hosts
            --http-clients-max
            --http-header-bytes-max
            --http-headers-max
            --http-body-bytes-max
            --http-batch-max
            --http-request-timeout
            --http-idle-timeout
            --http-ping-interval
            --http-pipeline-max
            --http-wait-max
            --http-page-queues-max
            --http-lease
            --tcp-backlog
            --tcp-keepalive
            --timeout
            --maxclients
            --maxmemory
            --databases
            --requirepass
            --user
            --aclfile
            --acl-pubsub-default
            --acllog-max-len
            --unauthenticated-timeout
            --unauthenticated-errors-max
            --unauthenticated-clients-max
            --auth-delay-after
            --auth-delay-max-ms
            --auth-delay-forget
            --auth-delay-addresses-max
            --protected-mode
            --proto-max-bulk-len
            --hash-max-listpack-entries
            --hash-max-listpack-value
            --set-max-intset-entries
            --stream-node-max-bytes
            --stream-node-max-entries
            --client-query-buffer-limit
            --client-output-buffer-limit
            --turn-read-bytes-max
            --turn-output-bytes-max
            --turn-work-max
            --appendonly
            --appendfsync
            --appenddirname
            --appendfilename
            --auto-aof-rewrite-percentage
            --auto-aof-rewrite-min-size
            --aof-load-truncated
            --aof-load-unverified
            --append-buffer-limit
            --append-room
            --append-reserve
            --dbfilename
            --rdbcompression
            --replica-ignore-unsupported-keys
            --save
            --stop-writes-on-bgsave-error
            --queue-policy
            --channel-policy
            --queue-dedup-messages-max
            --queue-idle-max
            --metrics-queues-max
            --enable-debug-command
            --enable-protected-configs
            --slowlog-log-slower-than
            --slowlog-max-len
            --latency-monitor-threshold
            --latency-tracking
            --latency-tracking-info-percentiles
            --loglevel
            --logfile
            --daemonize
            --supervised
            --pidfile
            --dir
            --replicaof
            --masterauth
            --masteruser
            --allow-replicaof-command
            --replica-serve-stale-data
            --replica-priority
            --replica-announced
            --replica-announce-ip
            --replica-announce-port
            --repl-backlog-size
            --repl-backlog-ttl
            --repl-timeout
            --repl-ping-replica-period
            --repl-diskless-sync-delay
            --replica-safe-restart
            --replica-transaction-limit
            --write-ack-replicas
            --write-ack-timeout-ms
            --min-replicas-to-write
            --min-replicas-max-lag
            --zset-max-listpack-entries
            --zset-max-listpack-value
            --lua-memory-limit
            --script-time-limit-ms
            --busy-reply-threshold
            --script-cache-max
' -- "$current")
    fi
}
complete -o filenames -F _tidegate tidegate
