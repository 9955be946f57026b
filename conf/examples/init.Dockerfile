# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# One program in a container, with fosterd in the place of tini: only the COPY line differs from an image with tini.
# From the root of the source tree:
#
#     docker build -f conf/examples/init.Dockerfile -t foster-init .
#     docker run --rm -p 8080:80 foster-init
#
# No test builds this image, for that needs a registry. The tests compare its commands with those of README.md, which are
# run against the self-contained build in containers of their own (tests/package).
FROM debian:12-slim AS foster
RUN apt-get update && apt-get install -y --no-install-recommends \
        gcc libc6-dev cmake make pkg-config libev-dev libyaml-dev libjansson-dev libcap-dev
COPY . /src
RUN cmake -S /src -B /build --preset static \
    && cmake --build /build -j "$(nproc)" \
    && cmake --install /build --strip

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends nginx-light \
    && rm -rf /var/lib/apt/lists/*
COPY --from=foster /usr/local/sbin/fosterd /sbin/tini
EXPOSE 80
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/sbin/tini", "--"]
CMD ["nginx", "-g", "daemon off;"]
