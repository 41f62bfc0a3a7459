"""Upload a release to a hub of Hugging Face, by their own library."""

from pathlib import Path

from mmx.release.about import ReleaseError, read_about
from mmx.release.verify import verify_release


def upload(folder: Path, repository: str) -> str:
    """Upload a release and tag it with its version; return the address of the commit.

    Files that the repository has already are not sent again. The library reads the hub's address
    and the token from its environment (HF_ENDPOINT, HF_TOKEN, or `hf auth login`). Raise
    ReleaseError for a release that is not intact, or where the hub refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    about = read_about(folder)
    findings = verify_release(folder)
    if findings:
        raise ReleaseError(f"the release is not intact: {findings[0]}")
    api, kind = HfApi(), "dataset"
    message = f"Release {about.version}"
    try:
        api.create_repo(repository, repo_type=kind, exist_ok=True)
        done = api.upload_folder(
            repo_id=repository,
            repo_type=kind,
            folder_path=folder,
            commit_message=message,
            delete_patterns="**",
        )
        api.create_tag(
            repository, tag=about.version, tag_message=message, repo_type=kind, exist_ok=True
        )
    except (HfHubHTTPError, HFValidationError, OSError, RuntimeError) as error:
        # RuntimeError: a large file could not be sent.
        said = " ".join(str(error).split())
        raise ReleaseError(f"the hub did not take the release: {said}") from None
    return str(done.commit_url)
