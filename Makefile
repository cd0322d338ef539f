# Everything a contributor types. The work is done by scripts/ and by go.

GOLANGCI := 2.15.0
LINTER := .tools/golangci-lint-$(GOLANGCI)
FERRETDB := 1.24.2

.PHONY: all build test lint vet bench fuzz demo clean

all: build lint test

build: ## bin/mangrove, one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/mangrove ./cmd/mangrove

test: ## the whole suite with the race detector; installs and starts what it needs
	scripts/test

lint: $(LINTER)
	$(LINTER) run ./...

vet:
	go vet ./...

bench: ## benchmarks of the packages; `mangrove bench` measures a running server
	go test -run '^$$' -bench . -benchmem ./...

fuzz: ## every fuzz test, 20 seconds each
	scripts/fuzz

demo:
	go run ./cmd/mangrove demo

clean:
	rm -rf bin .tools test/*/node_modules

$(LINTER):
	mkdir -p .tools
	GOBIN=$(CURDIR)/.tools go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(GOLANGCI)
	mv .tools/golangci-lint $@

.tools/mongodb-$(FERRETDB): test/mongodb/main.go test/mongodb/go.mod test/mongodb/go.sum ## a MongoDB server for tests
	mkdir -p .tools
	cd test/mongodb && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $(CURDIR)/$@ .
