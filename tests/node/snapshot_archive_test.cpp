// SPDX-License-Identifier: Apache-2.0
#include <archive.h>
#include <archive_entry.h>
#include <filesystem>

#include <catch2/catch.hpp>

#include "node/storage/archive_reader.hpp"
#include "node/storage/archive_writer.hpp"
#include "node/storage/file.hpp"
#include "node/storage/image_export.hpp"
#include "node/storage/label_record.hpp"
#include "node/storage/reservation.hpp"
#include "tests/support/diff_maker.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/storage.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

/// A host with a chain of two, and another host.
struct archive_fixture {
  static constexpr uint64_t memory_bytes = 9 * mib;
  scratch_directory home;
  store_world world{home.path() + "/one", memory_bytes};
  store_world other{home.path() + "/two", memory_bytes};
  std::string path = home.path() + "/snapshot.tar.zst";

  archive_fixture() {
    REQUIRE(world.branch("op-base", "base", 3));
    REQUIRE(world.branch_over(world.request_over("op-top", "top", "base"),
                              [](memory_sink& sink) {
                                REQUIRE(sink.write(0, bytes(5 * page, 9)));
                                REQUIRE(sink.zero({6 * mib, 7 * mib}));
                              }));
  }

  std::string text_of(const std::string& tag, const char* name) const {
    return *read_small_file(world.path() + "/snapshots/" + tag + "/" + name);
  }

  /// What importing the archive comes to; it must leave nothing behind.
  failure refusal(const std::string& tag = "") {
    const auto found = other->import_from(path, {tag}, {});
    REQUIRE_FALSE(found);
    CHECK(other.tags().empty());
    CHECK(other.staged().empty());
    CHECK_THAT(found.error().message, Catch::Contains(path));
    return found.error();
  }

  /// An archive by hand; `fill` adds its files.
  template <class Fill>
  void make(Fill fill) {
    auto archive = archive_writer::make(path);
    REQUIRE(archive);
    fill(**archive);
    REQUIRE((*archive)->end());
  }
};

} // namespace

TEST_CASE_METHOD(archive_fixture, "what is exported is imported elsewhere",
                 "[storage][archive]") {
  const std::string tag = GENERATE("base", "top", "flattened top");
  const auto name = tag == "base" ? tag : std::string{"top"};
  if (tag == "flattened top")
    REQUIRE(world->flatten({name}, {}));
  const auto out = world->export_to({name}, path, {});
  REQUIRE(out);
  CHECK(out->path == path);
  CHECK(out->bytes == std::filesystem::file_size(path));
  const auto in = other->import_from(path, {}, {});
  REQUIRE(in);
  CHECK(in->info.tag == snapshot_tag{name});
  // A diff gets another identity, which covers all of its memory.
  CHECK((in->info.root_hash == out->info.root_hash) == (tag == "base"));
  CHECK(in->info.depth == 0);
  CHECK(other.memory_of(name) == world.memory_of(name));
  CHECK(other->verify({name}, {}));
  CHECK(other->open({name})->contract == world->open({name})->contract);
  other.restart();
  CHECK(other->problems().empty());
  CHECK(other->recover().empty());
  CHECK(other->verify({name}, {}));
  // And on from there.
  std::filesystem::remove(path);
  CHECK(other->export_to({name}, path, {}));
}

TEST_CASE_METHOD(archive_fixture, "an import may have another tag",
                 "[storage][archive]") {
  REQUIRE(world->export_to({"top"}, path, {}));
  const auto in = world->import_from(path, {"again"}, {});
  REQUIRE(in);
  CHECK(in->info.tag == snapshot_tag{"again"});
  CHECK(world->verify({"again"}, {}));
  CHECK(world->import_from(path, {}, {}).error().code == ec::snapshot_exists);
  CHECK(world->import_from(path, {"../x"}, {}).error().code
        == ec::invalid_request);
  CHECK(world.staged().empty());
  // Diffs over it are as good as those over the original.
  CHECK(world.branch_over(
    world.request_over("op-3", "third", "again"),
    [](memory_sink& sink) { REQUIRE(sink.write(0, bytes(page, 1))); }));
}

TEST_CASE_METHOD(archive_fixture, "an archive is small where memory is zeros",
                 "[storage][archive]") {
  REQUIRE(world.branch_over(world.request_over("op-z", "zeros", "base"),
                            [](memory_sink& sink) {
                              REQUIRE(sink.zero({0, memory_bytes}));
                            }));
  const auto out = world->export_to({"zeros"}, path, {});
  REQUIRE(out);
  CHECK(out->bytes < 64 * 1024);
  REQUIRE(other->import_from(path, {}, {}));
  CHECK(other.memory_of("zeros") == bytes(memory_bytes));
  CHECK(stored_bytes(other.path() + "/snapshots/zeros/memory.bin") <= mib);
}

TEST_CASE_METHOD(archive_fixture, "an export needs a free place",
                 "[storage][archive]") {
  write_file(path, bytes(3, 1));
  CHECK(world->export_to({"top"}, path, {}).error().code
        == ec::invalid_request);
  CHECK(std::filesystem::file_size(path) == 3);
  CHECK(world->export_to({"nobody"}, path + "x", {}).error().code
        == ec::unknown_snapshot);
  CHECK(world->export_to({"top"}, home.path() + "/no/such", {}).error().code
        == ec::io_failed);
  CHECK(world->export_to({"top"}, path + "y", [] { return true; }).error().code
        == ec::interrupted);
  CHECK_FALSE(path_exists(path + "y"));
  CHECK_FALSE(path_exists(path + "y.unfinished"));
}

TEST_CASE_METHOD(archive_fixture, "nothing damaged is exported",
                 "[storage][archive][safety]") {
  flip_bit(world.path() + "/snapshots/base/memory.bin", 4 * page);
  CHECK(world->export_to({"top"}, path, {}).error().code
        == ec::snapshot_corrupt);
  CHECK_FALSE(path_exists(path));
}

TEST_CASE_METHOD(archive_fixture, "a damaged archive is never seen",
                 "[storage][archive][safety]") {
  REQUIRE(world->export_to({"top"}, path, {}));
  const auto size = std::filesystem::file_size(path);
  SECTION("flipped") {
    for (uint64_t at = 0; at < size; at += 1 + size / 60) {
      CAPTURE(at);
      flip_bit(path, at);
      // Where packing does not care, the content is as it was.
      if (other->import_from(path, {}, {})) {
        CHECK(other.memory_of("top") == world.memory_of("top"));
        REQUIRE(other->verify({"top"}, {}));
        REQUIRE(other->remove({"top"}));
      }
      CHECK(other.staged().empty());
      flip_bit(path, at);
    }
  }
  SECTION("cut") {
    for (const auto rest :
         {uint64_t{0}, uint64_t{1}, size / 4, size / 2, size - 200, size - 1}) {
      CAPTURE(rest);
      std::filesystem::resize_file(path, rest);
      CHECK(refusal().code == ec::snapshot_corrupt);
      break;
    }
  }
  SECTION("gone") {
    std::filesystem::remove(path);
    CHECK(refusal().code == ec::io_failed);
  }
}

TEST_CASE_METHOD(archive_fixture, "an archive of a stranger is refused",
                 "[storage][archive][safety]") {
  const auto manifest = text_of("base", manifest_file);
  const auto vmstate = text_of("base", vmstate_file);
  const auto memory = world.memory_of("base");
  const std::string_view memory_text{
    reinterpret_cast<const char*>(memory.data()), memory.size()};
  SECTION("another order") {
    make([&](auto& a) { REQUIRE(a.put(vmstate_file, 0, vmstate)); });
  }
  SECTION("no manifest at all") {
    make([](auto&) {});
  }
  SECTION("a manifest that is none") {
    make([&](auto& a) { REQUIRE(a.put(manifest_file, 0, "{}")); });
  }
  SECTION("a manifest without end") {
    make([&](auto& a) {
      REQUIRE(
        a.put(manifest_file, 0, std::string(manifest_bytes_max + 1, ' ')));
    });
  }
  SECTION("another vmstate") {
    make([&](auto& a) {
      REQUIRE(a.put(manifest_file, 0, manifest));
      REQUIRE(a.put(vmstate_file, 0, std::string(vmstate.size(), 'x')));
      REQUIRE(a.put(memory_file, 0, memory_text));
    });
  }
  SECTION("a longer vmstate") {
    make([&](auto& a) {
      REQUIRE(a.put(manifest_file, 0, manifest));
      REQUIRE(a.put(vmstate_file, 0, vmstate + "x"));
    });
  }
  SECTION("shorter memory") {
    make([&](auto& a) {
      REQUIRE(a.put(manifest_file, 0, manifest));
      REQUIRE(a.put(vmstate_file, 0, vmstate));
      REQUIRE(a.put(memory_file, 0, memory_text.substr(page)));
    });
  }
  SECTION("other memory") {
    make([&](auto& a) {
      REQUIRE(a.put(manifest_file, 0, manifest));
      REQUIRE(a.put(vmstate_file, 0, vmstate));
      REQUIRE(a.put(memory_file, 0, std::string(memory.size(), 'x')));
    });
  }
  SECTION("one file more") {
    make([&](auto& a) {
      REQUIRE(a.put(manifest_file, 0, manifest));
      REQUIRE(a.put(vmstate_file, 0, vmstate));
      REQUIRE(a.put(memory_file, 0, memory_text));
      REQUIRE(a.put("more", 0, "more"));
    });
  }
  SECTION("labels of another snapshot") {
    const auto words =
      annotation_text(std::string(64, '0'), {.labels = {"a=1"}});
    make([&](auto& a) {
      REQUIRE(a.put(manifest_file, 0, manifest));
      REQUIRE(a.put(vmstate_file, 0, vmstate));
      REQUIRE(a.put(memory_file, 0, memory_text));
      REQUIRE(a.put(label_file, 0, *words));
    });
  }
  SECTION("labels without end") {
    make([&](auto& a) {
      REQUIRE(a.put(manifest_file, 0, manifest));
      REQUIRE(a.put(vmstate_file, 0, vmstate));
      REQUIRE(a.put(memory_file, 0, memory_text));
      REQUIRE(
        a.put(label_file, 0, std::string(label_record_bytes_max + 1, ' ')));
    });
  }
  SECTION("one file behind its labels") {
    const auto root = world->list()[0].root_hash;
    make([&](auto& a) {
      REQUIRE(a.put(manifest_file, 0, manifest));
      REQUIRE(a.put(vmstate_file, 0, vmstate));
      REQUIRE(a.put(memory_file, 0, memory_text));
      REQUIRE(
        a.put(label_file, 0, *annotation_text(root, {.labels = {"a=1"}})));
      REQUIRE(a.put("more", 0, "more"));
    });
  }
  SECTION("no memory") {
    make([&](auto& a) {
      REQUIRE(a.put(manifest_file, 0, manifest));
      REQUIRE(a.put(vmstate_file, 0, vmstate));
    });
  }
  SECTION("not packed") {
    write_file(path, bytes(10240, 0));
  }
  CHECK(refusal().code == ec::snapshot_corrupt);
}

TEST_CASE_METHOD(archive_fixture, "a file of an archive has its one name",
                 "[storage][archive][safety]") {
  const std::string name = GENERATE("../manifest.json", "/manifest.json",
                                    "./manifest.json", "manifest.json/", "x");
  make(
    [&](auto& a) { REQUIRE(a.put(name, 0, text_of("base", manifest_file))); });
  const auto refused = refusal();
  CHECK(refused.code == ec::snapshot_corrupt);
  CHECK_THAT(refused.message,
             Catch::Contains("where manifest.json should stand"));
}

TEST_CASE_METHOD(archive_fixture, "an archive holds plain files only",
                 "[storage][archive][safety]") {
  const auto kind = GENERATE(AE_IFLNK, AE_IFBLK, AE_IFIFO, AE_IFCHR, 0u);
  auto* const a = archive_write_new();
  auto* const entry = archive_entry_new();
  archive_write_set_format_pax(a);
  archive_write_add_filter_zstd(a);
  REQUIRE(archive_write_open_filename(a, path.c_str()) == ARCHIVE_OK);
  archive_entry_set_pathname(entry, manifest_file);
  archive_entry_set_filetype(entry, kind == 0 ? AE_IFREG : kind);
  if (kind == AE_IFLNK)
    archive_entry_set_symlink(entry, "/etc/passwd");
  if (kind == 0)
    archive_entry_set_hardlink(entry, "/etc/passwd");
  archive_write_header(a, entry);
  archive_entry_free(entry);
  archive_write_close(a);
  archive_write_free(a);
  const auto refused = refusal();
  CHECK(refused.code == ec::snapshot_corrupt);
  CHECK_THAT(refused.message, Catch::Contains("is not a plain file"));
}

TEST_CASE("an import that does not fit is refused before it is written",
          "[storage][archive][safety]") {
  const auto disk = scratch_disk::make(disk_kind::tmpfs, 16 * mib);
  if (!disk)
    return skip(disk.error().message);
  const scratch_directory home;
  const auto path = home.path() + "/big";
  store_world big{home.path() + "/node", 64 * mib};
  REQUIRE(big.branch("op-1", "snap-1"));
  REQUIRE(big->export_to({"snap-1"}, path, {}));
  store_world small{(*disk)->path() + "/node"};
  const auto free = *available_bytes((*disk)->path());
  const auto in = small->import_from(path, {}, {});
  REQUIRE_FALSE(in);
  CHECK(in.error().code == ec::disk_full);
  CHECK_THAT(in.error().message, Catch::Contains("are missing"));
  CHECK(*available_bytes((*disk)->path()) == free);
  CHECK(small.staged().empty());
}

TEST_CASE("an export to a full disk leaves no file",
          "[storage][archive][safety]") {
  const auto disk = scratch_disk::make(disk_kind::tmpfs, 2 * mib);
  if (!disk)
    return skip(disk.error().message);
  const scratch_directory home;
  store_world world{home.path() + "/node", 8 * mib};
  REQUIRE(world.branch_over(
    [&] {
      REQUIRE(world.branch("op-1", "base"));
      return world.request_over("op-2", "top", "base");
    }(),
    [](memory_sink& sink) {
      std::mt19937_64 dice{1};
      bytes noise(7 * mib);
      for (auto& byte : noise)
        byte = static_cast<uint8_t>(dice());
      REQUIRE(sink.write(0, noise));
    }));
  const auto path = (*disk)->path() + "/x";
  const auto out = world->export_to({"top"}, path, {});
  REQUIRE_FALSE(out);
  CHECK(out.error().code == ec::disk_full);
  CHECK(std::filesystem::is_empty((*disk)->path()));
}
