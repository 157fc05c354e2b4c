#!/bin/sh
# Makes certificates for tests of TLS in a directory: tests/clients/certificates.sh DIRECTORY
#
#   ca.crt        the authority
#   server.*      certificate and key for localhost, 127.0.0.1 and ::1
#   client.*      certificate and key of a client with the common name `client`
#   stranger.*    the same of another authority, which nobody knows
#   sealed.key    the server's key with the password `secret`
#
# They are valid for a day.
set -eu
mkdir -p "$1"
cd "$1"

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

authority() {
    new_key "$1.key"
    openssl req -x509 -new -key "$1.key" -subj "/CN=$2" -days 1 -out "$1.crt"
}

# issue NAME AUTHORITY
issue() {
    new_key "$1.key"
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n' >"$1.extensions"
    openssl req -new -key "$1.key" -subj "/CN=$1" |
        openssl x509 -req -CA "$2.crt" -CAkey "$2.key" -set_serial "0x$(openssl rand -hex 8)" \
            -days 1 -extfile "$1.extensions" -out "$1.crt"
    rm "$1.extensions"
}

{
    authority ca "An authority"
    authority other "Another authority"
    issue server ca
    issue client ca
    issue stranger other
    openssl pkcs8 -topk8 -in server.key -passout pass:secret -out sealed.key
    rm other.crt other.key
} 2>openssl.log || { cat openssl.log >&2; exit 1; }
rm openssl.log
