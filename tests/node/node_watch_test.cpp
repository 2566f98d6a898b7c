// SPDX-License-Identifier: Apache-2.0
#include "node/node_watch.hpp"

#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>

#include "node/node_work.hpp"
#include "node/storage/sandbox_record_file.hpp"
#include "tests/node/node_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

struct watch_fixture : node_fixture {
  std::string record_of(const std::string& place_name) {
    return place.data() + "/sandboxes/" + place_name + "/sandbox.json";
  }
  /// The reader of records finds a link that leads nowhere.
  void hide_record(const std::string& name) {
    const auto path = record_of(name);
    std::filesystem::rename(path, path + ".kept");
    std::filesystem::create_symlink("/nowhere", path);
  }
  void show_record(const std::string& name) {
    const auto path = record_of(name);
    std::filesystem::rename(path + ".kept", path);
  }
};

} // namespace

TEST_CASE_METHOD(watch_fixture, "a VM that answers late is adopted then",
                 "[node][node_watch][safety]") {
  start();
  const auto machine = place.machine("s1");
  *place.is_deaf = true;
  restart();
  CHECK(info("s1").state == sandbox_state::stuck);
  w.advance(40s);
  CHECK(info("s1").state == sandbox_state::stuck);
  CHECK(info("s1").note.find("looked for again") != std::string::npos);
  *place.is_deaf = false;
  w.advance(16s);
  CHECK(info("s1").state == sandbox_state::running);
  CHECK(place.machine("s1") == machine);
  CHECK(state().watch.lost.empty());
  CHECK(branch("op-1"));
}

TEST_CASE_METHOD(watch_fixture,
                 "a guest that a dead node left standing runs when it is found",
                 "[node][node_watch][safety]") {
  start();
  const auto machine = place.machine("s1");
  REQUIRE(place.journal->open(request("op-1")));
  REQUIRE(place.journal->mark_pause({"op-1"}, true));
  machine->pause(w.now());
  *place.is_deaf = true;
  restart();
  *place.is_deaf = false;
  w.advance(2s);
  CHECK(machine->health() == vmm_health::running);
  CHECK(info("s1").state == sandbox_state::running);
}

TEST_CASE_METHOD(watch_fixture, "a VM that ended while it was lost comes anew",
                 "[node][node_watch][safety]") {
  start();
  *place.is_deaf = true;
  restart();
  const auto machine = place.machine("s1");
  machine->end();
  w.advance(5s);
  CHECK(info("s1").state == sandbox_state::stuck);
  *place.is_deaf = false;
  w.advance(16s);
  CHECK(info("s1").state == sandbox_state::running);
  CHECK(place.machine("s1") != machine);
  CHECK(place.running_vms() == 1);
}

TEST_CASE_METHOD(watch_fixture, "a VM that lost its SANDBOX gets another",
                 "[node][node_watch][safety]") {
  start();
  w.kill(state().sandboxes.at({"s1"}).handle);
  w.run();
  CHECK(info("s1").state == sandbox_state::stuck);
  w.advance(2s);
  CHECK(info("s1").state == sandbox_state::running);
  CHECK(branch("op-1"));
}

TEST_CASE_METHOD(watch_fixture, "a sandbox whose record is not read is held",
                 "[node][node_watch][safety]") {
  start();
  const auto machine = place.machine("s1");
  hide_record("s1");
  adjust = [this](node_services& services) {
    services.load_record = [this](const sandbox_id& id) {
      return load_sandbox_record(place.data() + "/sandboxes/" + id.value, id);
    };
  };
  declare("s2");
  restart();
  CHECK(info("s1").state == sandbox_state::stuck);
  // Its VM may be the one of that record.
  CHECK(info("s2").state == sandbox_state::stuck);
  CHECK(place.running_vms() == 1);
  CHECK(place.machine("s1") == machine);
  show_record("s1");
  w.advance(16s);
  CHECK(info("s1").state == sandbox_state::running);
  CHECK(place.machine("s1") == machine);
  CHECK(info("s2").state == sandbox_state::running);
}

TEST_CASE_METHOD(
  watch_fixture,
  "a VM is refused with the number of descriptors that is missing",
  "[node][node_watch][safety]") {
  auto sample = descriptor_sample{.is_known = true, .max = 64, .open = 20};
  adjust = [&sample](node_services& services) {
    services.drivers["qemu"] = services.drivers.at("simulated");
    services.descriptors = [&sample] { return sample; };
  };
  settings.declared.back().driver = config::driver_kind::qemu;
  start();
  CHECK(info("s1").state == sandbox_state::running);
  REQUIRE(branch("op-1"));
  state().snapshots.at({"op-1"}).driver = "qemu";
  sample.open = 45;
  const auto refused = restore("r-1", "op-1", "kid");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::host_full);
  CHECK(refused.error().message.find("3 file descriptors are missing")
        != std::string::npos);
  CHECK(state().load.descriptors_max == 64);
  CHECK(state().load.descriptor_room == 0);
  sample.open = 30;
  CHECK(restore("r-2", "op-1", "kid"));
}

TEST_CASE_METHOD(watch_fixture, "what a switch starts from is not removed",
                 "[node][node_watch][safety]") {
  start();
  REQUIRE(branch("op-1"));
  auto run = std::make_shared<switch_run>();
  run->operation = {"op-back"};
  run->name = {"s1"};
  run->record.parent = {"op-1"};
  state().switches.running[run->operation] = run;
  const auto request = remove_request{.tag = {"op-1"}, .epoch = script->epoch};
  const auto refused = ask<done>(request);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::node_busy);
  state().switches.running.clear();
  CHECK(ask<done>(request));
}
