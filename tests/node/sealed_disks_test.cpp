// SPDX-License-Identifier: Apache-2.0
#include "node/storage/sealed_disks.hpp"

#include <fcntl.h>

#include <catch2/catch.hpp>

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

TEST_CASE_METHOD(disks_fixture, "an archive refuses disks, and says why",
                 "[storage][sealed_disks]") {
  REQUIRE(seal("snap", {layer("a")}));
  const auto path = home.path() + "/snap.ffsnap";
  const auto exported = world->export_to({"snap"}, path, {});
  REQUIRE_FALSE(exported);
  CHECK(exported.error().code == ec::unsupported);
  CHECK_FALSE(path_exists(path));
}
