# Python's client libraries, in target/clients/venv. Sourced by the scripts that need them, which
# set `libraries` to target/clients and `checks` to the folder with requirements.txt.

fetch_python() {
    python3 -m venv --clear "$libraries/venv" &&
        "$libraries/venv/bin/pip" install --quiet --disable-pip-version-check \
            --requirement "$checks/requirements.txt"
}

fetch() {
    local marker=$libraries/$1.fetched
    [[ -e $marker ]] && return
    echo "fetching the client libraries for $1"
    if ("fetch_$1"); then touch "$marker"; else echo "that failed, and so will their checks"; fi
}
