# Client libraries that several scripts need, in target/clients. The scripts source this, and set `libraries`
# to target/clients and `checks` to the folder with requirements.txt.

fetch_python() {
    python3 -m venv --clear "$libraries/venv" &&
        "$libraries/venv/bin/pip" install --quiet --disable-pip-version-check \
            --requirement "$checks/requirements.txt"
}

fetch_node() {
    rm -rf "$libraries/node" && mkdir -p "$libraries/node" &&
        cp "$checks/node/package.json" "$libraries/node/" &&
        cd "$libraries/node" &&
        npm install --loglevel=error --no-audit --no-fund --no-package-lock
}

fetch_java() {
    rm -rf "$libraries/java" && mkdir -p "$libraries/java" &&
        cp "$checks/java/pom.xml" "$libraries/java/" &&
        cd "$libraries/java" &&
        mvn --quiet --batch-mode --no-transfer-progress dependency:copy-dependencies \
            -DoutputDirectory=libraries
}

# Debian 12 has Go 1.19. The newest go-redis wants a newer one, 9.14.1 is the last that does not.
fetch_go() {
    local version
    rm -rf "$libraries/go" && mkdir -p "$libraries/go" && cd "$libraries/go" || return
    for version in latest v9.14.1; do
        cp "$checks/go/go.mod" . && rm -f go.sum
        go get "github.com/redis/go-redis/v9@$version" &&
            go build -o /dev/null github.com/redis/go-redis/v9 && return
    done
    return 1
}

fetch_rust() {
    mkdir -p "$libraries/rust" &&
        cp -r "$checks/rust/." "$libraries/rust/" &&
        cd "$libraries/rust" &&
        rm -f Cargo.lock &&
        cargo fetch --quiet
}

# Node looks for libraries beside the program.
copy_node_programs() { cp "$checks"/node/*.mjs "$libraries/node/" || true; }

fetch() {
    local marker=$libraries/$1.fetched
    [[ -e $marker ]] && return
    echo "fetching the client libraries for $1"
    if ("fetch_$1"); then touch "$marker"; else echo "that failed, and so will their checks"; fi
}

# A program of an earlier run does not stand in for one that cannot be built.
build() {
    rm -f "$libraries/bin/$1"
    ("build_$1") || echo "$1 cannot be built, and so its checks will fail"
}
