// SPDX-License-Identifier: Apache-2.0
#include "node/storage/hash.hpp"

#include <fcntl.h>
#include <random>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/schema/json.hpp"
#include "node/storage/file.hpp"
#include "node/storage/manifest.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using forkfleet::test::scratch_directory;

namespace {

// By sha256sum: of 4 MiB of zeros, and of nothing.
constexpr const char* zero_extent =
  "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8";
constexpr const char* empty =
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct hash_fixture {
  test::scratch_directory home;
  std::string path = home.path() + "/memory";
  unique_fd fd = *open_file(path, O_RDWR | O_CREAT);

  std::vector<sha256> extents(uint64_t bytes) {
    REQUIRE(::ftruncate(fd.get(), static_cast<off_t>(bytes)) == 0);
    auto result = hash_extents({.fd = fd.get(), .path = path, .bytes = bytes});
    REQUIRE(result);
    return *result;
  }
};

} // namespace

TEST_CASE("hashes are those of SHA-256", "[storage][hash]") {
  CHECK(to_hex(*hash_bytes({})) == empty);
  CHECK(from_hex(empty) == *hash_bytes({}));
  CHECK_FALSE(from_hex("e3b0"));
  CHECK_FALSE(from_hex(std::string(64, 'G')));
  CHECK_FALSE(from_hex(std::string(64, 'A')));
}

TEST_CASE_METHOD(hash_fixture, "a hole hashes as the zeros that it reads as",
                 "[storage][hash]") {
  const auto hashes = extents(2 * hash_extent_bytes + 5);
  REQUIRE(hashes.size() == 3);
  CHECK(to_hex(hashes[0]) == zero_extent);
  CHECK(hashes[1] == hashes[0]);
  CHECK(hashes[2] == *hash_bytes(std::vector<uint8_t>(5)));
}

TEST_CASE_METHOD(hash_fixture, "scattered data hashes as a plain read does",
                 "[storage][hash][property]") {
  constexpr uint64_t bytes = hash_extent_bytes + 3 * 4096 + 7;
  std::vector<uint8_t> plain(bytes);
  std::mt19937 dice{GENERATE(1u, 2u, 3u)};
  REQUIRE(::ftruncate(fd.get(), bytes) == 0);
  for (int i = 0; i < 50; ++i) {
    const auto at = dice() % (bytes - 3);
    const std::array<uint8_t, 3> data{1, static_cast<uint8_t>(dice()), 3};
    std::copy(data.begin(), data.end(), plain.begin() + static_cast<long>(at));
    REQUIRE(write_at(fd.get(), data, at, path));
  }
  const auto hashes = extents(bytes);
  const auto all = std::span<const uint8_t>{plain};
  CHECK(hashes[0] == *hash_bytes(all.first(hash_extent_bytes)));
  CHECK(hashes[1] == *hash_bytes(all.subspan(hash_extent_bytes)));
  CHECK(*hash_file({.fd = fd.get(), .path = path, .bytes = bytes})
        == *hash_bytes(all));
}

TEST_CASE_METHOD(hash_fixture, "many threads find the hashes that one finds",
                 "[storage][hash][threads]") {
  constexpr uint64_t bytes = 9 * hash_extent_bytes + 1;
  REQUIRE(::ftruncate(fd.get(), bytes) == 0);
  for (uint64_t at = 0; at < bytes; at += 3 << 20)
    REQUIRE(write_at(fd.get(), std::to_string(at), at, path));
  hash_job job{.fd = fd.get(), .path = path, .bytes = bytes, .threads = 1};
  const auto alone = hash_extents(job);
  job.threads = 4;
  job.start_writeback = true;
  CHECK(*hash_extents(job) == *alone);
}

TEST_CASE_METHOD(hash_fixture, "a failed read on one of many threads is told",
                 "[storage][hash][threads]") {
  const auto unreadable = open_file(path, O_WRONLY);
  const uint64_t bytes = 5 * hash_extent_bytes;
  REQUIRE(::ftruncate(fd.get(), static_cast<off_t>(bytes)) == 0);
  REQUIRE(write_at(fd.get(), "data", 3 * hash_extent_bytes, path));
  const auto hashes = hash_extents(
    {.fd = unreadable->get(), .path = path, .bytes = bytes, .threads = 4});
  REQUIRE_FALSE(hashes);
  CHECK(hashes.error().message.find(path) != std::string::npos);
}

TEST_CASE_METHOD(hash_fixture, "a file that is too short is never hashed",
                 "[storage][hash][safety]") {
  REQUIRE(::ftruncate(fd.get(), 10) == 0);
  const hash_job job{.fd = fd.get(), .path = path, .bytes = 11};
  CHECK(hash_extents(job).error().code == ec::io_failed);
  CHECK(hash_file(job).error().code == ec::io_failed);
}

TEST_CASE("the root hash follows its formula", "[storage][hash]") {
  const std::vector<sha256> extents{*from_hex(zero_extent), *from_hex(empty)};
  const auto root = root_hash({.memory_bytes = hash_extent_bytes + 1,
                               .extents = extents,
                               .vmstate_bytes = 3,
                               .vmstate = *from_hex(empty)});
  // By hashlib, over the bytes that the header names.
  CHECK(to_hex(*root)
        == "f7a3ad1f1e7ced6e4b1c8c5eaa166016c5004d64c3c00ca0b1df9f046729cd5a");
}

TEST_CASE("a manifest survives its file", "[storage][manifest]") {
  snapshot_manifest x{.tag = {"snap-1"},
                      .operation = {"op-1"},
                      .source = {"sandbox-1"},
                      .memory_bytes = 1,
                      .vmstate_hash = empty,
                      .extents = {zero_extent},
                      .contract = {.arguments = {"-append", "a \"b\""}}};
  x.root_hash = *root_hash_of(x);
  const auto text = manifest_text(x);
  REQUIRE(text);
  auto read = manifest_from_text(*text, "m");
  REQUIRE(read);
  read->manifest_hash.clear();
  CHECK(*read == x);
  CHECK(text->size() <= manifest_slack_bytes(x.memory_bytes));
}

TEST_CASE("a manifest that does not agree with itself is corrupt",
          "[storage][manifest][safety]") {
  snapshot_manifest x{.tag = {"snap-1"},
                      .operation = {"op-1"},
                      .source = {"sandbox-1"},
                      .memory_bytes = 1,
                      .vmstate_hash = empty,
                      .extents = {zero_extent}};
  x.root_hash = *root_hash_of(x);
  SECTION("size") {
    x.memory_bytes = 2;
  }
  SECTION("extent count") {
    x.extents.push_back(empty);
    x.root_hash = *root_hash_of(x);
  }
  SECTION("extent hash") {
    x.extents[0] = empty;
  }
  SECTION("no hash") {
    x.extents[0] = "zero";
  }
  SECTION("vmstate") {
    x.vmstate_bytes = 1;
  }
  SECTION("root") {
    x.root_hash = empty;
  }
  SECTION("no tag") {
    x.tag = {};
  }
  const auto read = manifest_from_text(*manifest_text(x), "m");
  REQUIRE_FALSE(read);
  CHECK(read.error().code == ec::snapshot_corrupt);
}

TEST_CASE("a manifest of another version is told from a corrupt one",
          "[storage][manifest]") {
  const auto text = R"({"format_version": 99, "pages": []})";
  CHECK(manifest_from_text(text, "m").error().code == ec::unsupported);
  for (const auto* bad :
       {"", "[]", "{}", "\xff", "{\"format_version\": \"1\"}"})
    CHECK(manifest_from_text(bad, "m").error().code == ec::snapshot_corrupt);
}

TEST_CASE("a manifest of the first version is that of a flat snapshot",
          "[storage][manifest]") {
  snapshot_manifest x{.tag = {"snap-1"},
                      .operation = {"op-1"},
                      .source = {"sandbox-1"},
                      .memory_bytes = 1,
                      .vmstate_hash = empty,
                      .extents = {zero_extent}};
  x.format_version = 1;
  x.root_hash = *root_hash_of(x);
  auto value = schema::to_json(x);
  for (const auto* later : {"form", "base", "base_hash", "data_bytes", "runs",
                            "runs_hash", "manifest_hash"})
    value.erase(later);
  const auto read = manifest_from_text(schema::dump(value, 1), "m");
  REQUIRE(read);
  CHECK(read->form == sealed_form::flat);
  CHECK(read->root_hash == x.root_hash);
}

TEST_CASE("a diff's manifest names its base, and only a diff's does",
          "[storage][manifest][safety]") {
  snapshot_manifest x{.tag = {"snap-2"},
                      .operation = {"op-2"},
                      .source = {"sandbox-1"},
                      .memory_bytes = 8192,
                      .form = sealed_form::diff,
                      .base = {"snap-1"},
                      .base_hash = zero_extent,
                      .data_bytes = 4096,
                      .runs = 1,
                      .runs_hash = empty,
                      .vmstate_hash = empty,
                      .extents = {zero_extent}};
  x.root_hash = *root_hash_of(x);
  REQUIRE(manifest_from_text(*manifest_text(x), "m"));
  const auto root = x.root_hash;
  SECTION("no base") {
    x.base = {};
  }
  SECTION("no base hash") {
    x.base_hash = {};
  }
  SECTION("another base") {
    x.base_hash = empty;
  }
  SECTION("other runs") {
    x.runs_hash = zero_extent;
  }
  SECTION("flat") {
    x.form = sealed_form::flat;
    x.extents = {zero_extent};
  }
  SECTION("version 1") {
    x.format_version = 1;
  }
  SECTION("no extent") {
    x.extents.clear();
  }
  CHECK(manifest_from_text(*manifest_text(x), "m").error().code
        == ec::snapshot_corrupt);
}

TEST_CASE("an older manifest tells its source's limits from version 4 on",
          "[storage][manifest][safety]") {
  snapshot_manifest x{.tag = {"snap-1"},
                      .operation = {"op-1"},
                      .source = {"sandbox-1"},
                      .memory_bytes = 1,
                      .vmstate_hash = empty,
                      .extents = {zero_extent}};
  x.format_version = 2;
  x.root_hash = *root_hash_of(x);
  const auto plain = *manifest_text(x);
  CHECK(plain.find("limits") == std::string::npos);
  CHECK(manifest_from_text(plain, "m")->limits.empty());
  x.limits.pids = 200;
  CHECK(*root_hash_of(x) == x.root_hash);
  for (const uint64_t version : {1, 2, 3, 4}) {
    x.format_version = version;
    const auto read = manifest_from_text(*manifest_text(x), "m");
    CAPTURE(version);
    CHECK(read.has_value() == (version == least_version_of(x)));
    if (read)
      CHECK(read->limits == x.limits);
  }
  x.limits = {};
  CHECK(manifest_from_text(*manifest_text(x), "m").error().code
        == ec::snapshot_corrupt);
}

TEST_CASE("what a snapshot would run is part of its identity",
          "[storage][manifest][safety]") {
  snapshot_manifest x{
    .tag = {"snap-1"},
    .operation = {"op-1"},
    .source = {"sandbox-1"},
    .memory_bytes = 1,
    .vmstate_hash = empty,
    .extents = {zero_extent},
    .contract = {.arguments = {"append=a"},
                 .files = {{.use = "kernel", .path = "/k", .sha256 = empty}}}};
  x.root_hash = *root_hash_of(x);
  REQUIRE(manifest_from_text(*manifest_text(x), "m"));
  SECTION("an argument") {
    x.contract.arguments.emplace_back("argument=-daemonize");
  }
  SECTION("a file") {
    x.contract.files[0].path = "/etc/shadow";
  }
  SECTION("a file's content") {
    x.contract.files[0].sha256 = zero_extent;
  }
  SECTION("the CPU") {
    x.contract.cpu = "max";
  }
  SECTION("the source") {
    x.source = {"sandbox-2"};
  }
  SECTION("the operation") {
    x.operation = {"op-2"};
  }
  SECTION("the limits") {
    x.limits.pids = 7;
  }
  // With a hash of the text that fits, as anybody can make it.
  const auto read = manifest_from_text(*manifest_text(x), "m");
  REQUIRE_FALSE(read);
  CHECK_THAT(read.error().message, Catch::Contains("root hash"));
}

TEST_CASE("where a snapshot lies is no part of its identity",
          "[storage][manifest]") {
  snapshot_manifest x{.tag = {"snap-1"},
                      .operation = {"op-1"},
                      .source = {"sandbox-1"},
                      .memory_bytes = 1,
                      .vmstate_hash = empty,
                      .extents = {zero_extent}};
  x.root_hash = *root_hash_of(x);
  x.tag = {"other"};
  x.host = {"h2"};
  x.sequence = 9;
  x.origin = snapshot_origin::imported;
  CHECK(manifest_from_text(*manifest_text(x), "m"));
}

TEST_CASE("a whole file is hashed without its holes, and can be stopped",
          "[storage][hash][safety]") {
  const scratch_directory home;
  const auto path = home.path() + "/sparse";
  const auto fd = open_file(path, O_RDWR | O_CREAT);
  REQUIRE(fd);
  REQUIRE(resize_file(fd->get(), 3u << 20, path));
  REQUIRE(write_at(fd->get(), "x", 2u << 20, path));
  std::vector<uint8_t> content(3u << 20);
  content[2u << 20] = 'x';
  const hash_job job{.fd = fd->get(), .path = path, .bytes = 3u << 20};
  CHECK(*hash_file(job) == *hash_bytes(content));
  int asked = 0;
  auto stopped = job;
  stopped.stop = [&asked] { return ++asked > 1; };
  CHECK(hash_file(stopped).error().code == ec::interrupted);
  CHECK(asked == 2);
  auto longer = job;
  longer.bytes += 1;
  CHECK(hash_file(longer).error().code == ec::io_failed);
}

TEST_CASE("every byte of a manifest is covered by its hash",
          "[storage][manifest][safety]") {
  snapshot_manifest x{.tag = {"snap-1"},
                      .operation = {"op-1"},
                      .source = {"sandbox-1"},
                      .method = "by hand",
                      .memory_bytes = 1,
                      .vmstate_hash = empty,
                      .extents = {zero_extent},
                      .contract = {.arguments = {"-append", "a"}}};
  x.root_hash = *root_hash_of(x);
  const auto text = *manifest_text(x);
  for (std::size_t i = 0; i < text.size(); ++i)
    for (const int bit : {1, 2, 4, 8, 16, 32, 64}) {
      auto bent = text;
      bent[i] = static_cast<char>(bent[i] ^ bit);
      CAPTURE(i, bent);
      CHECK_FALSE(manifest_from_text(bent, "m"));
    }
}
