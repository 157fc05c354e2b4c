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

# Node looks for libraries beside the program.
copy_node_programs() { cp "$checks"/node/*.mjs "$libraries/node/" || true; }

fetch() {
    local marker=$libraries/$1.fetched
    [[ -e $marker ]] && return
    echo "fetching the client libraries for $1"
    if ("fetch_$1"); then touch "$marker"; else echo "that failed, and so will their checks"; fi
}
