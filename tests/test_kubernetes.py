"""The manifest in docs/kubernetes.md: its form, and what of it must agree with the project."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmx.params import RunParams

TOP = Path(__file__).parents[1]


PAGE = (TOP / "docs" / "kubernetes.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    (manifest,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    data: dict[str, Any] = yaml.safe_load(manifest)
    return data


def pods(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


def test_ray_is_that_of_the_lock_file(cluster: dict[str, Any]) -> None:
    lock = (TOP / "requirements-dev.lock").read_text()
    assert f"\nray=={cluster['spec']['rayVersion']} " in lock
    assert re.findall(r"ray==([\d.]+)", PAGE) == [cluster["spec"]["rayVersion"]]


def test_every_pod_has_the_image_and_asks_for_a_token(cluster: dict[str, Any]) -> None:
    for pod in pods(cluster):
        (container,) = pod["containers"]
        environment = {each["name"]: each for each in container["env"]}
        assert container["image"] == "REGISTRY/mmx:COMMIT"
        assert environment["RAY_AUTH_MODE"]["value"] == "token"
        assert environment["RAY_USAGE_STATS_ENABLED"]["value"] == "0"
        assert environment["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"]["name"] == "mmx-ray"
        user = re.search(r"^USER (\d+):", (TOP / "Dockerfile").read_text(), re.MULTILINE)
        assert user and pod["securityContext"]["runAsUser"] == int(user[1])


def test_every_mount_has_a_volume(cluster: dict[str, Any]) -> None:
    for pod in pods(cluster):
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} == volumes


def test_probes_run_a_program_that_the_image_has(cluster: dict[str, Any]) -> None:
    for pod in pods(cluster):
        for probe in ("readinessProbe", "livenessProbe"):
            assert pod["containers"][0][probe]["exec"]["command"][0] == "/opt/venv/bin/ray"
    assert "VENV=/opt/venv" in (TOP / "Dockerfile").read_text()


def test_the_cache_fits_into_its_volume(cluster: dict[str, Any]) -> None:
    (volume,) = pods(cluster)[1]["volumes"]
    limit = int(volume["emptyDir"]["sizeLimit"].removesuffix("Gi"))
    assert RunParams().node_cache_gb * 1e9 < limit * 2**30


def test_the_head_computes_nothing(cluster: dict[str, Any]) -> None:
    assert cluster["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
