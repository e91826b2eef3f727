# syntax=docker/dockerfile:1

FROM rust:1.95.0-slim-bookworm AS build
ENV SQLX_OFFLINE=true
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked && cp target/release/fineract-gateway /usr/local/bin/

FROM debian:bookworm-slim
# The HTTP client needs a CA bundle even for plain HTTP; curl runs the health check.
RUN apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/fineract-gateway /usr/local/bin/
RUN useradd --system --uid 10001 --no-create-home gateway
USER 10001
ENV HTTP_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT ["fineract-gateway"]
CMD ["serve"]
