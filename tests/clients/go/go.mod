// go-redis as a client; tests/clients/run adds the newest release that the Go at hand can build.
module tidegate/clients

go 1.18
