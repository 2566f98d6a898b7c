// SPDX-License-Identifier: Apache-2.0
#include "node/storage/disk_snapshot_store.hpp"

#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <thread>

#include <catch2/catch.hpp>

#include "node/storage/file.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/storage.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

struct store_fixture {
  scratch_directory home;
  store_world world{home.path() + "/node"};

  std::string sealed_file(const std::string& tag, const char* name) const {
    return world.path() + "/snapshots/" + tag + "/" + name;
  }

  void damage(const std::string& path, uint64_t at) {
    const auto fd = open_file(path, O_RDWR);
    REQUIRE(fd);
    uint8_t byte = 0;
    REQUIRE(read_at(fd->get(), {&byte, 1}, at, path));
    byte ^= 1;
    REQUIRE(write_at(fd->get(), std::span<const uint8_t>{&byte, 1}, at, path));
  }

  unsigned mode_of(const std::string& path) {
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    return info.st_mode & 0777;
  }
};

} // namespace

TEST_CASE_METHOD(store_fixture, "a sealed snapshot is listed, opens, verifies",
                 "[storage][store]") {
  const auto info = world.branch("op-1", "snap-1");
  REQUIRE(info);
  CHECK(world->list() == std::vector{*info});
  CHECK(info->operation == operation_id{"op-1"});
  CHECK(info->root_hash.size() == 64);
  const auto files = world->open({"snap-1"});
  REQUIRE(files);
  CHECK(files->info == *info);
  CHECK(files->contract.driver == "simulated");
  CHECK(read_small_file(files->vmstate_path) == vmstate_text(1));
  CHECK(world->verify({"snap-1"}, {}));
  CHECK(world.staged().empty());
}

TEST_CASE_METHOD(store_fixture, "snapshots survive a restart",
                 "[storage][store]") {
  const auto info = world.branch("op-1", "snap-1");
  REQUIRE(info);
  world.restart();
  CHECK(world->list() == std::vector{*info});
  CHECK(world->problems().empty());
}

TEST_CASE_METHOD(store_fixture,
                 "a root hash covers what a snapshot holds, and whose it is",
                 "[storage][store]") {
  const auto first = world.branch("op-1", "snap-1", 7);
  const auto second = world.branch("op-2", "snap-2", 7);
  const auto other = world.branch("op-3", "snap-3", 8);
  // The operation is part of it: no two snapshots have one identity.
  CHECK(first->root_hash != second->root_hash);
  CHECK(first->root_hash != other->root_hash);
}

TEST_CASE_METHOD(store_fixture, "a tag that is in the making is taken",
                 "[storage][store][safety]") {
  const auto first = world.stage("op-1", "snap-1");
  REQUIRE(first);
  const auto second = world.stage("op-2", "snap-1");
  REQUIRE_FALSE(second);
  CHECK(second.error().error.code == ec::snapshot_exists);
  const auto again = world.stage("op-1", "snap-2");
  REQUIRE_FALSE(again);
  CHECK(again.error().error.code == ec::branch_in_progress);
  world->discard({"op-1"});
  CHECK(world.stage("op-2", "snap-1"));
}

TEST_CASE_METHOD(store_fixture, "a sealed tag is taken until it is removed",
                 "[storage][store]") {
  REQUIRE(world.branch("op-1", "snap-1"));
  CHECK(world.branch("op-2", "snap-1").error().code == ec::snapshot_exists);
  REQUIRE(world->remove({"snap-1"}));
  CHECK(world.tags().empty());
  CHECK(world.staged().empty());
  CHECK(world->open({"snap-1"}).error().code == ec::unknown_snapshot);
  CHECK(world->remove({"snap-1"}).error().code == ec::unknown_snapshot);
  CHECK(world.branch("op-3", "snap-1"));
}

TEST_CASE_METHOD(store_fixture, "a snapshot in the making cannot be removed",
                 "[storage][store]") {
  auto area = world.stage("op-1", "snap-1");
  REQUIRE(area);
  CHECK(world->remove({"snap-1"}).error().code == ec::unknown_snapshot);
  CHECK(world.seal(**area, "op-1", "snap-1"));
}

TEST_CASE_METHOD(store_fixture, "what is discarded leaves nothing",
                 "[storage][store]") {
  auto area = world.stage("op-1", "snap-1");
  REQUIRE(area);
  world->discard({"op-1"});
  world->discard({"op-1"});
  world->discard({"never"});
  world->discard({"../snapshots"});
  CHECK(world.staged().empty());
  CHECK(world.seal(**area, "op-1", "snap-1").error().code
        == ec::unknown_operation);
}

TEST_CASE_METHOD(store_fixture, "a seal must fit what was staged",
                 "[storage][store]") {
  auto area = world.stage("op-1", "snap-1");
  REQUIRE(area);
  CHECK(world.seal(**area, "op-1", "snap-2").error().code
        == ec::invalid_request);
  auto request = seal_request{.operation = {"op-1"},
                              .tag = {"snap-1"},
                              .source = {"sandbox-1"},
                              .memory_bytes = 5 * mib,
                              .vmstate_bytes = 100};
  CHECK(world->seal(request, **area).error().code == ec::io_failed);
  CHECK(world.tags().empty());
}

TEST_CASE_METHOD(store_fixture, "names that are no names never touch a path",
                 "[storage][store][safety]") {
  const auto bad = GENERATE("", "..", "../x", "a/b", "-rf", "a b");
  CHECK(world.stage(bad, "snap-1").error().error.code == ec::invalid_request);
  CHECK(world.stage("op-1", bad).error().error.code == ec::invalid_request);
  CHECK(world->remove({bad}).error().code == ec::unknown_snapshot);
  CHECK(world->open({bad}).error().code == ec::unknown_snapshot);
  CHECK(world.staged().empty());
}

TEST_CASE_METHOD(store_fixture, "nobody else can read a snapshot",
                 "[storage][store][safety]") {
  REQUIRE(world.branch("op-1", "snap-1"));
  const auto area = world.stage("op-2", "snap-2");
  for (const auto* each :
       {"", "/staging", "/snapshots", "/staging/op-2", "/snapshots/snap-1"})
    CHECK(mode_of(world.path() + each) == 0700);
  for (const auto* each : {memory_file, vmstate_file, manifest_file}) {
    CHECK(mode_of(sealed_file("snap-1", each)) == 0600);
    CHECK(mode_of(world.path() + "/staging/op-2/" + each) == 0600);
  }
}

TEST_CASE_METHOD(store_fixture, "a snapshot names its parent by its hash",
                 "[storage][store]") {
  const auto parent = world.branch("op-1", "snap-1", 1);
  const auto child = world.branch("op-2", "snap-2", 2, "snap-1");
  REQUIRE(child);
  CHECK(child->parent == snapshot_tag{"snap-1"});
  const auto path = sealed_file("snap-2", manifest_file);
  const auto manifest =
    manifest_from_text(read_small_file(path).value_or(""), path);
  REQUIRE(manifest);
  CHECK(manifest->parent_hash == parent->root_hash);
}

TEST_CASE_METHOD(store_fixture, "a flipped bit is found by verify",
                 "[storage][store][safety]") {
  REQUIRE(world.branch("op-1", "snap-1"));
  const auto* const file = GENERATE(memory_file, vmstate_file);
  damage(sealed_file("snap-1", file), 3);
  const auto good = world->verify({"snap-1"}, {});
  REQUIRE_FALSE(good);
  CHECK(good.error().code == ec::snapshot_corrupt);
  CHECK(good.error().message.find(file) != std::string::npos);
}

TEST_CASE_METHOD(store_fixture, "a file of another size does not open",
                 "[storage][store][safety]") {
  REQUIRE(world.branch("op-1", "snap-1"));
  const auto* const file = GENERATE(memory_file, vmstate_file);
  const auto path = sealed_file("snap-1", file);
  SECTION("shorter") {
    std::filesystem::resize_file(path, 3);
  }
  SECTION("longer") {
    std::filesystem::resize_file(path, 6 * mib);
  }
  SECTION("gone") {
    std::filesystem::remove(path);
  }
  CHECK(world->open({"snap-1"}).error().code == ec::snapshot_corrupt);
  world.restart();
  CHECK(world.tags().empty());
  REQUIRE(world->problems().size() == 1);
}

TEST_CASE_METHOD(store_fixture,
                 "a directory without a valid manifest is not "
                 "listed and keeps its name",
                 "[storage][store][safety]") {
  REQUIRE(world.branch("op-1", "snap-1"));
  const auto path = sealed_file("snap-1", manifest_file);
  SECTION("gone") {
    std::filesystem::remove(path);
  }
  SECTION("empty") {
    std::filesystem::resize_file(path, 0);
  }
  SECTION("cut") {
    std::filesystem::resize_file(path, 100);
  }
  SECTION("bent") {
    damage(path, 30);
  }
  SECTION("of another") {
    REQUIRE(world.branch("op-2", "snap-2"));
    std::filesystem::copy_file(
      sealed_file("snap-2", manifest_file), path,
      std::filesystem::copy_options::overwrite_existing);
    REQUIRE(world->remove({"snap-2"}));
  }
  world.restart();
  CHECK(world.tags().empty());
  CHECK(world->problems().size() == 1);
  CHECK(world.branch("op-3", "snap-1").error().code == ec::snapshot_exists);
  CHECK(world->remove({"snap-1"}));
  CHECK(world.branch("op-3", "snap-1"));
}

TEST_CASE_METHOD(store_fixture,
                 "while a snapshot cannot be read, what it may need stays",
                 "[storage][store][safety]") {
  REQUIRE(world.branch("op-1", "snap-1"));
  REQUIRE(world.branch("op-2", "snap-2"));
  REQUIRE(world.branch("op-3", "snap-3"));
  damage(sealed_file("snap-2", manifest_file), 30);
  damage(sealed_file("snap-3", manifest_file), 30);
  world.restart();
  const auto refused = world->remove({"snap-1"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::node_busy);
  CHECK_THAT(refused.error().message,
             Catch::Contains("snapshot snap-2 cannot be read"));
  CHECK(world->remove({"snap-2"}));
  CHECK_FALSE(world->remove({"snap-1"}));
  CHECK(world->remove({"snap-3"}));
  CHECK(world->remove({"snap-1"}));
}

TEST_CASE_METHOD(store_fixture, "recover clears what an earlier life left",
                 "[storage][store]") {
  REQUIRE(world.stage("op-1", "snap-1"));
  std::filesystem::create_directories(world.path() + "/staging/.removed-x/y");
  world.restart();
  REQUIRE(world.stage("op-2", "snap-2"));
  CHECK(world->recover() == std::vector<std::string>{".removed-x", "op-1"});
  CHECK(world.staged() == std::vector<std::string>{"op-2"});
}

TEST_CASE_METHOD(store_fixture,
                 "a failed sync of the parent hides the snapshot",
                 "[storage][store][safety]") {
  auto area = world.stage("op-1", "snap-1");
  REQUIRE(area);
  ::setenv("FORKFLEET_FAULT", "fail:seal.renamed", 1);
  const auto info = world.seal(**area, "op-1", "snap-1");
  ::unsetenv("FORKFLEET_FAULT");
  REQUIRE_FALSE(info);
  CHECK(info.error().code == ec::io_failed);
  world.restart();
  CHECK(world.tags().empty());
  CHECK(world->recover() == std::vector<std::string>{"op-1"});
}

TEST_CASE_METHOD(store_fixture, "many branches at once are all sealed",
                 "[storage][store][threads]") {
  std::vector<std::jthread> workers;
  std::vector<int> good(4);
  for (unsigned i = 0; i < good.size(); ++i)
    workers.emplace_back([this, i, &good] {
      const auto name = std::to_string(i);
      auto area = world.stage("op-" + name, "snap-" + name);
      good[i] = area
                && world->seal({.operation = {"op-" + name},
                                .tag = {"snap-" + name},
                                .source = {"sandbox-1"},
                                .memory_bytes = 5 * mib},
                               **area);
    });
  workers.clear();
  CHECK(good == std::vector<int>(4, 1));
  CHECK(world.tags().size() == 4);
}
