# An image of Keytrail: `docker build -t keytrail .`, then `docker run --rm -v "$PWD:/scan:ro" keytrail scan`.
# What is mounted has to be readable by others than its owner: the process is nobody (uid 65532). To remember what scans
# saw, mount /scan writable for it, or use a Postgres state. Programs that rotations start (docker, systemctl) are not in it.
#
# The tags name the images; who builds for others pins them with their digests (`docker buildx imagetools inspect` tells).
FROM docker.io/library/rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --release --locked --workspace --bins

# The C library, libgcc and the certificates of authorities: no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/LICENSE-APACHE /build/LICENSE-MIT /usr/share/doc/keytrail/
COPY --from=build /build/target/release/keytrail /usr/local/bin/keytrail
USER 65532:65532
WORKDIR /scan
ENTRYPOINT ["/usr/local/bin/keytrail"]
CMD ["--help"]
