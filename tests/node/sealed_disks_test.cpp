// SPDX-License-Identifier: Apache-2.0
#include "node/storage/sealed_disks.hpp"

#include <fcntl.h>

#include <catch2/catch.hpp>

#include "node/storage/archive_writer.hpp"
#include "node/storage/file.hpp"
#include "node/storage/qcow2_file.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/storage.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

struct disks_fixture {
  scratch_directory home;
  store_world world{home.path() + "/node"};

  std::string layer(const std::string& name) {
    const auto path = home.path() + "/" + name;
    REQUIRE(make_qcow2(path, 8 * mib));
    return path;
  }

  expected<snapshot_info> seal(const std::string& tag,
                               const std::vector<std::string>& layers) {
    const auto area = world.stage("op-of-" + tag, tag);
    REQUIRE(area);
    world.fill(**area, 1);
    return world->seal({.operation = {"op-of-" + tag},
                        .tag = {tag},
                        .source = {"counter"},
                        .method = "tracked",
                        .memory_bytes = 5 * mib,
                        .vmstate_bytes = vmstate_text(1).size(),
                        .contract = {.driver = "simulated"},
                        .disks = {{"disk0", 8 * mib, layers}}},
                       **area);
  }

  /// A layer that holds these clusters.
  std::string written_layer(const std::string& name,
                            const std::vector<uint64_t>& clusters) {
    const auto path = layer(name);
    std::vector<uint8_t> table(qcow2_cluster_bytes);
    for (const auto each : clusters)
      table[each * 8 + 5] = 1; // its data would lie at 64 KiB
    const auto fd = open_file(path, O_RDWR);
    REQUIRE(fd);
    const auto end = file_size(fd->get(), path);
    REQUIRE(end);
    REQUIRE(write_at(fd->get(), table, *end, path));
    std::vector<uint8_t> entry(8);
    for (std::size_t i = 0; i < 8; ++i)
      entry[i] = static_cast<uint8_t>(*end >> (56 - 8 * i));
    REQUIRE(write_at(fd->get(), entry, 3 * qcow2_cluster_bytes, path));
    return path;
  }

  /// An archive by hand, with a wrong layer or without any.
  void make_archive_of(const snapshot_info& info, const std::string& path,
                       bool has_layer) {
    auto archive = archive_writer::make(path);
    REQUIRE(archive);
    auto names =
      std::vector<std::string>{manifest_file, vmstate_file, memory_file};
    if (has_layer)
      names.push_back("disk0-0.qcow2");
    for (const auto& name : names) {
      const auto file = info.directory + "/" + name;
      const auto fd = open_file(file, O_RDONLY);
      REQUIRE(fd);
      std::string text(*file_size(fd->get(), file), '\0');
      REQUIRE(
        read_at(fd->get(),
                std::span{reinterpret_cast<uint8_t*>(text.data()), text.size()},
                0, file));
      if (name == "disk0-0.qcow2")
        text.back() = 'x';
      REQUIRE((*archive)->put(name, 0, text));
    }
    REQUIRE((*archive)->end());
  }

  void change(const std::string& path) {
    const auto fd = open_file(path, O_RDWR);
    REQUIRE(fd);
    REQUIRE(write_at(fd->get(), std::string_view{"x"}, 5000, path));
  }
};

} // namespace

TEST_CASE_METHOD(disks_fixture, "a snapshot has its disks, after a restart too",
                 "[storage][sealed_disks]") {
  const auto info = seal("snap", {layer("a"), layer("b")});
  REQUIRE(info);
  world.restart();
  CHECK(world->problems().empty());
  CHECK(world->list() == std::vector{*info});
  const auto files = world->open({"snap"});
  REQUIRE(files);
  REQUIRE(files->disks.size() == 1);
  CHECK(files->disks[0].bytes == 8 * mib);
  CHECK(files->disks[0].layers
        == std::vector{info->directory + "/disk0-0.qcow2",
                       info->directory + "/disk0-1.qcow2"});
  CHECK(world->verify({"snap"}, {})->hashes > 3);
}

TEST_CASE_METHOD(disks_fixture, "neither snapshot nor source needs the other",
                 "[storage][sealed_disks][safety]") {
  const auto shared = layer("a");
  const auto first = seal("first", {shared});
  const auto second = seal("second", {shared, layer("b")});
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->root_hash != second->root_hash);
  REQUIRE(world->remove({"first"}));
  CHECK(path_exists(shared));
  REQUIRE(remove_file(shared));
  CHECK(world->verify({"second"}, {}));
}

TEST_CASE_METHOD(disks_fixture, "a changed layer is found",
                 "[storage][sealed_disks][safety]") {
  const auto info = seal("snap", {layer("a")});
  REQUIRE(info);
  change(info->directory + "/disk0-0.qcow2");
  const auto verified = world->verify({"snap"}, {});
  REQUIRE_FALSE(verified);
  CHECK(verified.error().code == ec::snapshot_corrupt);
  CHECK(verified.error().message.find("disk0-0.qcow2") != std::string::npos);
}

TEST_CASE_METHOD(disks_fixture, "a layer that is missing hides the snapshot",
                 "[storage][sealed_disks][safety]") {
  const auto info = seal("snap", {layer("a")});
  REQUIRE(info);
  REQUIRE(remove_file(info->directory + "/disk0-0.qcow2"));
  world.restart();
  CHECK(world->list().empty());
  CHECK(world->problems().size() == 1);
}

TEST_CASE_METHOD(disks_fixture, "no layer that is gone gets into a snapshot",
                 "[storage][sealed_disks]") {
  const auto info = seal("snap", {home.path() + "/none"});
  REQUIRE_FALSE(info);
  CHECK(info.error().message.find("/none") != std::string::npos);
  CHECK(world->list().empty());
}

TEST_CASE_METHOD(disks_fixture, "a removal frees what nobody else names",
                 "[storage][sealed_disks]") {
  const auto shared = layer("a");
  const auto first = seal("first", {shared});
  REQUIRE(first);
  const auto before = world->usage({"first"});
  REQUIRE(before);
  CHECK(
    before->disks
    == std::vector<snapshot_disk>{{"disk0", 8 * mib, 1, stored_bytes(shared)}});
  REQUIRE(remove_file(shared));
  const auto after = world->usage({"first"});
  REQUIRE(after);
  CHECK(after->unique_bytes
        == before->unique_bytes
             + stored_bytes(first->directory + "/disk0-0.qcow2"));
}

TEST_CASE_METHOD(disks_fixture, "an archive has the disks' layers",
                 "[storage][sealed_disks][archive]") {
  const auto info = seal("snap", {layer("a"), layer("b")});
  REQUIRE(info);
  const auto path = home.path() + "/snap.ffsnap";
  REQUIRE(world->export_to({"snap"}, path, {}));
  store_world other{home.path() + "/other"};
  const auto in = other->import_from(path, {"copy"}, {});
  REQUIRE(in);
  CHECK(in->info.root_hash == info->root_hash);
  other.restart();
  CHECK(other->problems().empty());
  CHECK(other->verify({"copy"}, {})->hashes
        == world->verify({"snap"}, {})->hashes);
  const auto files = other->open({"copy"});
  REQUIRE(files);
  REQUIRE(files->disks.size() == 1);
  CHECK(files->disks[0].layers.size() == 2);
  // And on from there.
  CHECK(other->export_to({"copy"}, path + "x", {}));
}

TEST_CASE_METHOD(disks_fixture, "no archive with a damaged layer is made",
                 "[storage][sealed_disks][archive][safety]") {
  const auto info = seal("snap", {layer("a")});
  REQUIRE(info);
  change(info->directory + "/disk0-0.qcow2");
  const auto path = home.path() + "/snap.ffsnap";
  CHECK(world->export_to({"snap"}, path, {}).error().code
        == ec::snapshot_corrupt);
  CHECK_FALSE(path_exists(path));
}

TEST_CASE_METHOD(disks_fixture, "an archive with another layer is not seen",
                 "[storage][sealed_disks][archive][safety]") {
  const auto info = seal("snap", {layer("a")});
  REQUIRE(info);
  const auto path = home.path() + "/snap.ffsnap";
  const bool is_there = GENERATE(true, false);
  make_archive_of(*info, path, is_there);
  store_world other{home.path() + "/other"};
  const auto in = other->import_from(path, {}, {});
  REQUIRE_FALSE(in);
  CHECK(in.error().code == ec::snapshot_corrupt);
  CHECK_THAT(in.error().message, Catch::Contains("disk0-0.qcow2"));
  CHECK(other->list().empty());
  CHECK(other.staged().empty());
}

TEST_CASE_METHOD(disks_fixture, "a comparison tells what disks have written",
                 "[storage][sealed_disks]") {
  const auto common = layer("a");
  REQUIRE(seal("base", {common}));
  REQUIRE(seal("left", {common, written_layer("b", {0, 5})}));
  REQUIRE(seal("right", {common, written_layer("c", {5, 127})}));
  const auto between = [this](const char* x, const char* y) {
    const auto found = world->compare({x}, {y}, {});
    REQUIRE(found);
    return found->disk_bytes / qcow2_cluster_bytes;
  };
  CHECK(between("base", "base") == 0);
  CHECK(between("base", "left") == 2);
  CHECK(between("right", "base") == 2);
  CHECK(between("left", "right") == 3);
}
