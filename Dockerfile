# The operator's image: its program, the libraries it needs, certificates of authorities. No shell, no root.
#
#   docker build -t temporal-operator:dev .
#
# The stages `build` and `rootfs` can be replaced by directories, when program and libraries were made elsewhere:
#   buildah bud --build-context build=DIR --build-context rootfs=DIR ...
ARG BUILDER=rust:1.95-slim-bookworm
ARG BASE=debian:12-slim

FROM ${BUILDER} AS build
WORKDIR /src
COPY . .
RUN cargo build --profile dist --locked -p temporal-operator && cp target/dist/temporal-operator /temporal-operator

FROM ${BASE} AS rootfs
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates
COPY e2e/images/rootfs.sh /rootfs.sh
RUN sh /rootfs.sh "" /rootfs

FROM scratch
COPY --from=rootfs /rootfs /
COPY --from=build /temporal-operator /usr/local/bin/temporal-operator
ENV PATH=/usr/local/bin
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/temporal-operator"]
