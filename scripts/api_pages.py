"""A page of the API reference for each package and module directly below mmx."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to the files that MkDocs found in docs/."""
    mmx = Path(config.config_file_path).with_name("mmx")
    modules = [path.stem for path in mmx.glob("*.py") if path.stem != "__init__"]
    packages = [path.parent.name for path in mmx.glob("*/__init__.py")]
    names = sorted(modules + packages)
    index = "".join(f"- [mmx.{name}]({name}.md)\n" for name in names)
    files.append(File.generated(config, "api/index.md", content=f"# API\n\n{index}"))
    for name in names:
        page = f"# mmx.{name}\n\n::: mmx.{name}\n"
        files.append(File.generated(config, f"api/{name}.md", content=page))
    return files
