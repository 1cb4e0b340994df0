PYTHON ?= python3
BIN = .venv/bin
FIT = $(BIN)/python fit_mesh.py -src geo/dyna_sbs/obj -tar geo/dyna_target/obj -n_cond 3 -min_batch 8192 -m_type demo
INFER = $(BIN)/python inference_mesh.py -src geo_test/dyna_sbs/obj -tar geo_test/dyna_target/obj -tar_avail -saved_path saved_model/demo --overwrite
# pip would compile on one core, file by file; some files of other packages are for other Pythons and do not compile
define install
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile -r $(1)
	$(BIN)/python -m compileall -qq -j 0 .venv >/dev/null 2>&1 || true
endef
# processes that share cores: each with one thread for NumPy's products, whose threads wait for one another busily
PYTEST = OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder

.PHONY: demo test check lint blender clean

demo: .venv/installed geo_test/complete  ## sample data, training, prediction: see the printed paths
	@ls saved_model/demo/*/2.pt >/dev/null 2>&1 || (echo "$(FIT)" && $(FIT))
	$(INFER)
	@echo "loss curve in $$(ls loss_curves/demo/*.png | tail -n 1)"

test: lint  ## lint, types, tests
	$(PYTEST) -n 3

check: lint  ## lint, types, and the tests that run no script: for work in progress
	$(PYTEST) -n 2 -m "not starts_scripts"

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy models data utils

blender: .venv/installed  ## the extension for Blender, a zip to install, with ONNX Runtime for this system
	$(BIN)/python blender/pack.py skin2scan-blender.zip

clean:  ## remove what `make` made, but no model, mesh or log
	rm -rf .venv geo geo_test

.venv/installed: requirements.txt
	$(call install,requirements.txt)
	touch $@

.venv/installed-dev: requirements.txt requirements-pipeline.txt requirements-dev.txt
	$(call install,requirements-dev.txt)
	touch .venv/installed $@

geo_test/complete: | .venv/installed
	$(BIN)/python make_sample_data.py
	touch $@
