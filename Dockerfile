# syntax=docker/dockerfile:1

FROM rust:1.95.0-slim-bookworm AS build
RUN apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends ca-certificates make \
    && rm -rf /var/lib/apt/lists/*
ENV SQLX_OFFLINE=true
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    scripts/image-root.sh /image

# Only the gateway and what it needs: no shell, no package manager, nothing to write to.
FROM scratch
COPY --from=build /image /
USER 10001:10001
ENV HTTP_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/usr/local/bin/fineract-gateway", "health"]
ENTRYPOINT ["/usr/local/bin/fineract-gateway"]
CMD ["serve"]
