# The image of sluice. From a clone:
#
#   docker build -t sluice .
#   docker run -d --net host -v $PWD/sluice.yaml:/etc/sluice/sluice.yaml:ro --name lb sluice
#
# docs/getting-started.md goes on from there.

# What it runs on: glibc 2.36 or later and node 20 or later.
ARG BASE=node:24-bookworm-slim
# What it is built with; brings g++, make, python3 and the headers of node.
ARG BUILD=node:24-bookworm
# Where the installed package comes from; another image, if it is installed there already.
ARG PACKAGE=package

FROM ${BUILD} AS package
WORKDIR /source
COPY . .
RUN npm ci
RUN npm run prebuild -- --if-stale
RUN npm pack --ignore-scripts --pack-destination /packed
RUN npm install --global --prefix /image/usr/local --ignore-scripts --no-audit --no-fund /packed/sluice-*.tgz
# Changes made at run time outlive the container where this folder is a volume.
RUN mkdir -p /state /image/etc/sluice
RUN echo 'stateFile: /var/lib/sluice/state.json' > /image/etc/sluice/sluice.yaml

FROM ${PACKAGE} AS installed

FROM ${BASE}
COPY --from=installed /image/ /
COPY --from=installed --chown=10001:10001 /state/ /var/lib/sluice/
# The domains' file is data/domains.json, from here.
WORKDIR /var/lib/sluice
USER 10001:10001
EXPOSE 80 8080
STOPSIGNAL SIGTERM
# SLUICE_ADMIN and SLUICE_TOKEN reach it, too.
HEALTHCHECK --interval=15s --timeout=5s CMD ["sluice", "status"]
ENTRYPOINT ["sluice"]
CMD ["run"]
