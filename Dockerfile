# A static program in an empty image:
#
#     docker build --tag tidegate .
#     docker run --publish 6379:6379 --volume tidegate:/data tidegate /tidegate.conf --requirepass SECRET
#
# `docs/installing.md` says more. `packaging/check_container` runs the same steps without Docker.
FROM rust:1-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends musl-tools
WORKDIR /build
COPY . .
RUN target=$(uname -m)-unknown-linux-musl && \
    rustup target add "$target" && \
    cargo build --release --locked --bin tidegate --target "$target" && \
    install -D "target/$target/release/tidegate" /image/tidegate && \
    install -m 644 packaging/container.conf /image/tidegate.conf && \
    install -d /image/data

FROM scratch
COPY --from=build /image/tidegate /image/tidegate.conf /
COPY --from=build --chown=65532:65532 /image/data /data
USER 65532:65532
# Relative paths begin here: the append files.
WORKDIR /data
VOLUME /data
EXPOSE 6379
# There is no HEALTHCHECK, since an image without a shell or a client has nothing to ask with. Let the
# orchestrator open the port or send PING.
ENTRYPOINT ["/tidegate"]
CMD ["/tidegate.conf"]
