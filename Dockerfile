# One image for every part of Portolan: the servers, the CLI and the sidecars' init container (which needs sh and iptables alone).
# Nothing is compiled, so one build serves every architecture:
#   docker buildx build --platform linux/amd64,linux/arm64 --tag portolan/portolan:0.1.0 .
# The lab has no engine; it reads the plain COPY lines of the last stage and lays the same files out itself (test/chart/image.test.ts).

FROM node:24-bookworm-slim AS modules
WORKDIR /opt/portolan
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:24-bookworm-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends iptables \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/portolan
COPY --from=modules /opt/portolan/node_modules ./node_modules/
COPY package.json ./
COPY api ./api/
COPY certs ./certs/
COPY cli ./cli/
COPY compiler ./compiler/
COPY federation ./federation/
COPY kube ./kube/
COPY webhook ./webhook/
ENV NODE_ENV=production
USER 65532:65532
ENTRYPOINT ["node", "/opt/portolan/cli/main.ts"]
