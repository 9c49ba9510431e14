"""A draft into the file: whole or not at all, and everything else to the letter as it was."""

import stat

import pytest

import sparkml_ops
from sparkml_ops.config.load import load_use_case
from sparkml_ops.errors import ConfigError, ConflictError, SetupError

TOWNS = {
    "entity": ["customer"],
    "from": "customers",
    "select": {"letters": "length(town)"},
    "description": "Ort, größer: 東",
}
BLOCK = """
  towns:
    entity: [customer]
    from: customers
    select: {letters: length(town)}
    description: 'Ort, größer: 東'
"""


def read(project):
    return project.file.path.read_text()


def test_the_view_is_there_and_every_other_character_stays(own_project):
    before = read(own_project)
    saved = own_project.save_view(own_project.define_view("towns", TOWNS))
    profile = "    select: {town: town}\n"
    assert read(own_project) == before.replace(profile, profile + BLOCK)
    assert read(own_project).splitlines()[saved.line - 1] == "  towns:"
    assert (saved.view, saved.replaced) == ("towns", False)
    assert load_use_case(own_project.file.path).features["towns"] == own_project.use_case.features["towns"]


def test_a_view_that_is_there_is_replaced_only_when_asked(own_project):
    before = read(own_project)
    draft = own_project.open_view("spending").change(owner="ann@example.org")
    with pytest.raises(
        ConfigError, match=r"has a feature view spending: nothing was written. save_view\(draft, replace=True\)"
    ):
        own_project.save_view(draft)
    assert read(own_project) == before
    assert own_project.save_view(draft, replace=True).replaced
    last = "      - {of: amount, ops: [count, sum], windows: [1h, 1d]}\n"
    assert read(own_project) == before.replace(last, last + "    owner: ann@example.org\n")
    assert own_project.use_case.features["spending"].owner == "ann@example.org"


def test_a_file_that_has_changed_since_is_not_written(own_project):
    draft = own_project.define_view("towns", TOWNS)
    changed = read(own_project) + "# somebody was here\n"
    own_project.file.path.write_text(changed)
    with pytest.raises(ConflictError, match="has changed since features.towns was defined: nothing was written"):
        own_project.save_view(draft)
    assert read(own_project) == changed


def test_of_two_drafts_the_second_is_told_that_the_file_changed(own_project):
    first, second = own_project.define_view("towns", TOWNS), own_project.define_view("others", TOWNS)
    own_project.save_view(first)
    with pytest.raises(ConflictError):
        own_project.save_view(second)
    own_project.save_view(own_project.define_view("others", second.definition))
    assert {"towns", "others"} <= set(own_project.use_case.features)


def test_a_file_that_would_not_load_is_left_as_it_was(own_project, tmp_path):
    draft = own_project.define_view("towns", TOWNS)
    before = read(own_project)
    (tmp_path / "conf" / "local.yml").write_text("name: local\nlake: {rot: x}\n")
    with pytest.raises(ConfigError, match="would not load with features.towns, so it stays as it was"):
        own_project.save_view(draft)
    assert read(own_project) == before
    assert sorted(path.name for path in (tmp_path / "conf").iterdir()) == ["base.yml", "local.yml", "shop.yml"]


def test_a_draft_that_the_dataset_cannot_use_is_none(own_project):
    with pytest.raises(ConfigError, match="profile is looked up by nobody, which dataset.entity lacks"):
        own_project.open_view("profile").change(entity=["nobody"])


def test_a_function_of_the_notebook_cannot_be_saved(own_project):
    draft = own_project.define_view("towns", {**TOWNS, "from": {"python": "__main__:towns"}})
    with pytest.raises(ConfigError, match="a function of this notebook, which no other process can import"):
        own_project.save_view(draft)


def test_rights_marks_and_links_are_kept(own_project, tmp_path, spark):
    file = tmp_path / "conf" / "shop.yml"
    real = tmp_path / "elsewhere.yml"
    real.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    real.chmod(0o640)
    file.unlink()
    file.symlink_to(real)
    project = sparkml_ops.open_project(file, spark=spark)
    project.save_view(project.define_view("towns", TOWNS))
    content = real.read_bytes()
    assert file.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\n") == content.count(b"\r\n")
    assert "towns" in load_use_case(file).features


def test_a_folder_that_cannot_be_written_is_told(own_project, tmp_path, monkeypatch):
    draft = own_project.define_view("towns", TOWNS)
    before = read(own_project)

    def refuse(*arguments, **keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(SetupError, match="cannot be written: Permission denied. It is as it was"):
        own_project.save_view(draft)
    assert read(own_project) == before


def test_a_kill_between_writing_and_replacing_leaves_the_old_file(own_project, tmp_path, monkeypatch):
    before = read(own_project)
    draft = own_project.define_view("towns", TOWNS)

    def die(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("sparkml_ops.notebook.save._require_loads", die)
    with pytest.raises(KeyboardInterrupt):
        own_project.save_view(draft)
    assert read(own_project) == before
    assert [*(tmp_path / "conf").glob(".*")] == []


def test_what_is_no_draft_of_this_project_is_not_saved(own_project, project):
    before = read(own_project), read(project)
    with pytest.raises(ConfigError, match="expected what define_view or open_view gave, found 'towns'"):
        own_project.save_view("towns")
    with pytest.raises(ConfigError, match="features.towns is a draft of .*shop.yml, and this project is .*shop.yml"):
        own_project.save_view(project.define_view("towns", TOWNS))
    assert (read(own_project), read(project)) == before


def test_a_view_or_a_file_that_is_gone_since_is_told(own_project):
    own_project.save_view(own_project.define_view("towns", TOWNS))
    draft = own_project.define_view("others", TOWNS)
    own_project.file.path.write_text(read(own_project).replace(BLOCK, "\n"))
    with pytest.raises(ConfigError, match="has no feature view towns now"):
        own_project.open_view("towns")
    own_project.file.path.unlink()
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        own_project.save_view(draft)
