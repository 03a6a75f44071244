# A thin way in for those who like make: each target is one call of ingot. `make help` lists them.

INGOT ?= ./ingot
RELEASE ?= debian-12

# A value as one word for the shell, whatever is in it; a missing one ends make with what to write.
quoted = '$(subst ','\'',$(1))'
need = $(if $($(1)),$(call quoted,$($(1))),$(error $(1) is missing: make $@ $(1)=$(2)))

# What a pattern has cannot be .PHONY: this makes it always run.
.PHONY: help images list build start ssh stop delete export clone snapshot always
.DEFAULT_GOAL := help

help:
	@echo 'make images                            the images in the store'
	@echo 'make build ROLE=docker                 build an image with a role (RELEASE=$(RELEASE))'
	@echo 'make create-docker NAME=web            make and start a VM with a role: create-ROLE'
	@echo 'make list                              the VMs'
	@echo 'make start|ssh|stop|delete NAME=web    one VM'
	@echo 'make clone SOURCE=web TARGET=web-2     a second VM like it'
	@echo 'make export NAME=web TARGET=my-image   make an image of a VM'
	@echo 'make snapshot NAME=web ACTION=create|list|restore|delete [SNAPSHOT=before]'
	@echo 'INGOT=$(INGOT) is what is called; ingot --help shows all that it can do.'

images:
	$(INGOT) image list

list:
	$(INGOT) vm list

build:
	$(INGOT) build $(call quoted,$(RELEASE)) --role $(call need,ROLE,docker)

create-%: always
	$(INGOT) vm create $(call need,NAME,web) --role $(call quoted,$*)

start ssh stop delete:
	$(INGOT) vm $@ $(call need,NAME,web)

clone:
	$(INGOT) vm clone $(call need,SOURCE,web) $(call need,TARGET,web-2)

export:
	$(INGOT) vm export $(call need,NAME,web) --as $(call need,TARGET,my-image)

snapshot:
	$(INGOT) vm snapshot $(call need,ACTION,create) $(call need,NAME,web)$(if $(SNAPSHOT), $(call quoted,$(SNAPSHOT)))
