// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <filesystem>
#include <thread>

#include <catch2/catch.hpp>

#include "node/storage/diff_format.hpp"
#include "node/storage/file.hpp"
#include "node/storage/flat_record.hpp"
#include "node/storage/flattening.hpp"
#include "node/storage/sealed_directory.hpp"
#include "node/storage/snapshot_check.hpp"
#include "tests/support/diff_maker.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/storage.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

/// A store with a flat snapshot "base" and a diff "top" over it.
struct chain_fixture {
  static constexpr uint64_t memory_bytes = 9 * mib;
  scratch_directory home;
  store_world world{home.path() + "/node", memory_bytes};
  bytes model = bytes(memory_bytes);

  chain_fixture() {
    REQUIRE(world.branch("op-base", "base", 3));
    model = world.memory_of("base");
    REQUIRE(diff("top", "base"));
  }

  /// Page 5 is written, pages 7 to 8 become zeros, and the last page, too.
  expected<snapshot_info> diff(const std::string& tag,
                               const std::string& base) {
    return world.branch_over(
      world.request_over("op-" + tag, tag, base), [this](memory_sink& sink) {
        write(sink, 5, ++stamp);
        REQUIRE(sink.zero({7 * page, 9 * page}));
        std::fill_n(model.begin() + 7 * page, 2 * page, uint8_t{0});
        write(sink, memory_bytes / page - 1, stamp);
      });
  }

  void write(memory_sink& sink, uint64_t number, uint8_t value) {
    REQUIRE(sink.write(number * page, bytes(page, value)));
    std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(number * page),
                page, value);
  }

  std::string file(const std::string& tag, const char* name) const {
    return world.path() + "/snapshots/" + tag + "/" + name;
  }

  uint8_t stamp = 100;
};

} // namespace

TEST_CASE_METHOD(chain_fixture, "a diff is read over its base",
                 "[storage][store][chain]") {
  CHECK(world.memory_of("top") == model);
  const auto info = world->open({"top"})->info;
  CHECK(info.base == snapshot_tag{"base"});
  CHECK(info.depth == 1);
  CHECK(info.stored_bytes < mib);
  std::mt19937 dice{1};
  CHECK(read_all(**world->image({"top"}), dice) == model);
  CHECK_FALSE(path_exists(file("top", memory_file)));
  world.restart();
  CHECK(world->problems().empty());
  CHECK(world.memory_of("top") == model);
}

TEST_CASE_METHOD(chain_fixture, "a diff is refused on any other base",
                 "[storage][store][chain][safety]") {
  auto request = world.request_over("op-x", "x", "base");
  const auto refusal = [&] { return world->stage(request).error().error.code; };
  SECTION("none of that name") {
    request.base = {"nobody"};
    CHECK(refusal() == ec::unknown_snapshot);
  }
  SECTION("no name") {
    request.base = {};
    CHECK(refusal() == ec::unknown_snapshot);
  }
  SECTION("another content") {
    request.base_hash = world->open({"top"})->info.root_hash;
    CHECK(refusal() == ec::invalid_request);
  }
  SECTION("another guest") {
    request.memory_bytes = 8 * mib;
    CHECK(refusal() == ec::invalid_request);
  }
  CHECK(world.staged().empty());
}

TEST_CASE_METHOD(chain_fixture, "what a diff lies over cannot be removed",
                 "[storage][store][chain][safety]") {
  const auto refused = world->remove({"base"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::invalid_request);
  CHECK_THAT(refused.error().message, Catch::Contains("forkfleet flatten top"));
  REQUIRE(world->flatten({"top"}, {}));
  CHECK(world->remove({"base"}));
  CHECK(world.memory_of("top") == model);
  CHECK(world->verify({"top"}, {}));
}

TEST_CASE_METHOD(chain_fixture, "a base in use by a diff in the making stays",
                 "[storage][store][chain][safety]") {
  REQUIRE(world.branch("op-2", "other", 4));
  auto area = world->stage(world.request_over("op-x", "x", "other"));
  REQUIRE(area);
  CHECK(world->remove({"other"}).error().code == ec::node_busy);
  world->discard({"op-x"});
  CHECK(world->remove({"other"}));
}

TEST_CASE_METHOD(chain_fixture, "a flattened diff is the same snapshot",
                 "[storage][store][chain]") {
  const auto before = world->open({"top"})->info;
  REQUIRE(world->flatten({"top"}, {}));
  REQUIRE(world->flatten({"top"}, {}));
  const auto files = world->open({"top"});
  CHECK(files->info.root_hash == before.root_hash);
  CHECK(files->info.depth == 0);
  CHECK(files->info.base == snapshot_tag{});
  CHECK(files->memory.is_flat());
  CHECK(world.memory_of("top") == model);
  CHECK_FALSE(path_exists(file("top", diff_name)));
  CHECK(world->verify({"top"}, {}));
  CHECK(world->unwritten_bytes() == 0);
  world.restart();
  CHECK(world->problems().empty());
  CHECK(world->recover().empty());
  CHECK(world->open({"top"})->memory.is_flat());
  CHECK(world->find_base(before.root_hash, {}).tag == snapshot_tag{"top"});
}

TEST_CASE_METHOD(chain_fixture, "a flat snapshot needs no flattening",
                 "[storage][store][chain]") {
  CHECK(world->flatten({"base"}, {}));
  CHECK(world->flatten({"nobody"}, {}).error().code == ec::unknown_snapshot);
}

TEST_CASE_METHOD(chain_fixture, "a flatten that is stopped leaves no trace",
                 "[storage][store][chain][safety]") {
  const int steps = GENERATE(0, 1, 2, 3);
  int asked = 0;
  const auto done = world->flatten({"top"}, [&] { return asked++ >= steps; });
  REQUIRE_FALSE(done);
  CHECK(done.error().code == ec::interrupted);
  CHECK_FALSE(path_exists(file("top", memory_file)));
  CHECK_FALSE(path_exists(file("top", flat_record_file)));
  CHECK(world.memory_of("top") == model);
  CHECK(world->flatten({"top"}, {}));
}

TEST_CASE_METHOD(chain_fixture,
                 "who comes second to a flatten waits for the first",
                 "[storage][store][chain][threads][safety]") {
  std::atomic<bool> may_go_on = false;
  std::atomic<bool> has_begun = false;
  std::jthread first{[&] {
    CHECK(world->flatten({"top"}, [&] {
      has_begun = true;
      while (!may_go_on)
        std::this_thread::yield();
      return false;
    }));
  }};
  while (!has_begun)
    std::this_thread::yield();
  // One that is told to stop does not wait, and harms nothing.
  CHECK(world->flatten({"top"}, [] { return true; }).error().code
        == ec::interrupted);
  int asked = 0;
  CHECK(world->flatten({"top"}, [&] {
    may_go_on = ++asked > 1;
    return false;
  }));
  CHECK(asked > 1);
  first.join();
  CHECK(path_exists(file("top", memory_file)));
  CHECK(world.memory_of("top") == model);
}

TEST_CASE_METHOD(chain_fixture, "a flatten does not vouch for what is damaged",
                 "[storage][store][chain][safety]") {
  const auto [tag, name, at] =
    GENERATE(table<const char*, const char*, uint64_t>({
      {"base", memory_file, 2 * page},
      {"base", memory_file, 6 * mib},
      {"top", diff_name, page + 5},
    }));
  flip_bit(file(tag, name), at);
  const auto done = world->flatten({"top"}, {});
  REQUIRE_FALSE(done);
  CHECK(done.error().code == ec::snapshot_corrupt);
  CHECK_FALSE(path_exists(file("top", memory_file)));
}

TEST_CASE_METHOD(chain_fixture, "files that are being opened outlast a flatten",
                 "[storage][store][chain][safety]") {
  {
    const auto files = world->open({"top"});
    REQUIRE(files);
    REQUIRE(world->flatten({"top"}, {}));
    CHECK(path_exists(file("top", diff_name)));
    CHECK(world->remove({"top"}).error().code == ec::node_busy);
    CHECK(world->remove({"base"}).error().code == ec::node_busy);
  }
  CHECK_FALSE(path_exists(file("top", diff_name)));
  CHECK(world->remove({"base"}));
  CHECK(world->remove({"top"}));
}

TEST_CASE_METHOD(chain_fixture, "what an interrupted flatten left is cleared",
                 "[storage][store][chain][safety]") {
  SECTION("before it vouched") {
    write_file(file("top", memory_file), bytes(memory_bytes, 7));
    write_file(file("top", "flat.json.unfinished"), bytes(5, 7));
    world.restart();
    CHECK(world->open({"top"})->info.depth == 1);
    CHECK(world->recover().size() == 1);
    CHECK_FALSE(path_exists(file("top", memory_file)));
    CHECK_FALSE(path_exists(file("top", "flat.json.unfinished")));
  }
  SECTION("a record that is none") {
    write_file(file("top", memory_file), bytes(memory_bytes, 7));
    write_file(file("top", flat_record_file), bytes(50, '{'));
    world.restart();
    CHECK(world->recover().size() == 1);
    CHECK_FALSE(path_exists(file("top", flat_record_file)));
  }
  SECTION("after it vouched") {
    const auto kept = home.path() + "/kept";
    std::filesystem::copy_file(file("top", diff_name), kept);
    REQUIRE(world->flatten({"top"}, {}));
    std::filesystem::copy_file(kept, file("top", diff_name));
    world.restart();
    CHECK(world->verify({"top"}, {}));
    CHECK(world->recover().size() == 1);
    CHECK_FALSE(path_exists(file("top", diff_name)));
  }
  CHECK(world->problems().empty());
  CHECK(world.memory_of("top") == model);
}

TEST_CASE_METHOD(chain_fixture, "a diff whose base is gone is not listed",
                 "[storage][store][chain][safety]") {
  REQUIRE(diff("higher", "top"));
  SECTION("removed by hand") {
    std::filesystem::remove_all(world.path() + "/snapshots/base");
    world.restart();
  }
  SECTION("another under its name") {
    std::filesystem::remove_all(world.path() + "/snapshots/base");
    world.restart();
    REQUIRE(world.branch("op-9", "base", 9));
    world.restart();
    // As long as diffs are not read, what they may need stays.
    CHECK_FALSE(world->remove({"base"}));
    std::filesystem::remove_all(world.path() + "/snapshots/base");
    world.restart();
  }
  CHECK(world.tags().empty());
  CHECK(world->problems().size() == 2);
  CHECK(world->open({"top"}).error().code == ec::unknown_snapshot);
}

TEST_CASE_METHOD(chain_fixture, "damage anywhere in a chain is found by verify",
                 "[storage][store][chain][safety]") {
  REQUIRE(diff("higher", "top"));
  REQUIRE(diff("flattened", "base"));
  REQUIRE(world->flatten({"flattened"}, {}));
  REQUIRE(world->verify({"higher"}, {}));
  const auto [which, tag, name] =
    GENERATE(table<const char*, const char*, const char*>({
      {"higher", "higher", diff_name},
      {"higher", "higher", vmstate_file},
      {"higher", "higher", manifest_file},
      {"higher", "top", diff_name},
      {"higher", "top", manifest_file},
      {"higher", "base", memory_file},
      {"flattened", "flattened", memory_file},
      {"flattened", "flattened", flat_record_file},
      {"flattened", "flattened", manifest_file},
    }));
  const auto path = file(tag, name);
  const auto size = std::filesystem::file_size(path);
  const auto at = GENERATE_COPY(uint64_t{0}, size / 3, size / 2, size - 1);
  CAPTURE(path, at);
  flip_bit(path, at);
  const auto good = world->verify({which}, {});
  REQUIRE_FALSE(good);
  CHECK(good.error().code == ec::snapshot_corrupt);
  CHECK_THAT(good.error().message, Catch::Contains(std::string{"/"} + tag));
}

TEST_CASE_METHOD(chain_fixture,
                 "a check of a snapshot ends when it is asked to",
                 "[storage][store]") {
  CHECK(world->verify({"top"}, [] { return true; }).error().code
        == ec::interrupted);
  const auto all = world->verify({"top"}, {});
  REQUIRE(all);
  CHECK(all->bytes > memory_bytes);
  CHECK(all->hashes == 3 + 2 + 1);
}

TEST_CASE_METHOD(chain_fixture, "a flatten stands still while a guest does",
                 "[storage][store][chain][threads]") {
  const auto gate = std::make_shared<pause_gate>();
  world = store_world{world.path() + "-2", memory_bytes, {.gate = gate}};
  REQUIRE(world.branch("op-base", "base", 3));
  model = world.memory_of("base");
  REQUIRE(diff("top", "base"));
  gate->enter();
  std::atomic<bool> is_done = false;
  std::atomic<int> asked = 0;
  std::jthread worker{[&] {
    CHECK(world->flatten({"top"}, [&] {
      ++asked;
      return false;
    }));
    is_done = true;
  }};
  // It is seen to wait: it asks again and again, and writes nothing.
  while (asked < 10)
    std::this_thread::yield();
  CHECK_FALSE(is_done);
  CHECK(stored_bytes(file("top", memory_file)) < memory_bytes / 8);
  gate->leave();
  worker.join();
  CHECK(world.memory_of("top") == model);
}

TEST_CASE("a branch waits for what earlier ones have not yet written",
          "[storage][store][settle]") {
  const scratch_directory home;
  store_world world{
    home.path() + "/node", 8 * mib, {.unwritten_bytes_max = 4 * mib}};
  auto area = world.stage("op-1", "snap-1");
  REQUIRE(area);
  CHECK(world->settle({}));
  REQUIRE((*area)->memory().write(0, bytes(5 * mib, 1)));
  CHECK(world->unwritten_bytes() == 5 * mib);
  const auto late = world->settle({});
  REQUIRE_FALSE(late);
  CHECK(late.error().code == ec::deadline_exceeded);
  CHECK_THAT(late.error().message, Catch::Contains(std::to_string(5 * mib)));
  REQUIRE(world.seal(**area, "op-1", "snap-1"));
  CHECK(world->unwritten_bytes() == 0);
  CHECK(world->settle({}));
}
