// SPDX-License-Identifier: Apache-2.0
// What QEMU says of its block nodes, and what is made of that.
#include "node/qemu/disk_layers.hpp"

#include <catch2/catch.hpp>

#include "tests/support/fake_qmp.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

/// A QEMU whose guest writes disk0, in the layer disk0-2 with so many files
/// under it. All nodes of the names are open, and none is given up.
fake_qmp::script qemu_with(uint64_t depth, std::vector<std::string> nodes) {
  return [depth, nodes = std::move(nodes)](qmp_peer& peer) {
    peer.greet();
    for (auto line = peer.hear(); !line.empty(); line = peer.hear()) {
      const auto asked = json::parse(line);
      const auto command = text_member(asked, "execute");
      auto reply = json{{"id", asked.at("id")}};
      if (command == "query-block")
        reply["return"] =
          json::array({json{{"inserted",
                             {{"ro", false},
                              {"node-name", "disk0-2"},
                              {"backing_file_depth", depth},
                              {"image", {{"virtual-size", 1u << 20}}}}}}});
      else if (command == "query-named-block-nodes") {
        reply["return"] = json::array();
        for (const auto& name : nodes)
          reply["return"].push_back(json{{"node-name", name}});
      } else if (command == "query-jobs" || command == "query-block-jobs")
        reply["return"] = json::array();
      else if (command == "blockdev-del")
        reply["error"] = {{"class", "GenericError"}, {"desc", "in use"}};
      else
        reply["error"] = {{"class", "GenericError"}, {"desc", "not here"}};
      peer.say(reply.dump() + "\r\n");
    }
  };
}

status prepare(uint64_t depth, std::vector<std::string> nodes) {
  const auto home = scratch_directory{};
  const auto server = fake_qmp{{qemu_with(depth, std::move(nodes))}};
  const auto until = std::chrono::steady_clock::now() + 20s;
  auto client = qmp_client::connect(server.path(), until);
  REQUIRE(client);
  auto layers = disk_layers{**client, home.path()};
  auto done = layers.prepare({}, until);
  client->reset();
  return done;
}

} // namespace

TEST_CASE("a layer that is open and no part of the disk's chain is no part of "
          "a snapshot",
          "[node][qemu][disk_layers][safety]") {
  // Three layers, but QEMU counts two files under the active one: one of the
  // two others is the base.
  const auto done = prepare(2, {"disk0-0", "disk0-1", "disk0-2"});
  REQUIRE_FALSE(done);
  CHECK(done.error().code == ec::vmm_refused);
  CHECK(done.error().message.find("is open and not part of what disk0-2 lies "
                                  "over")
        != std::string::npos);
  // With a base under all three they are the chain; what fails comes later.
  const auto whole = prepare(3, {"disk0-0", "disk0-1", "disk0-2"});
  REQUIRE_FALSE(whole);
  CHECK(whole.error().message.find("not part of") == std::string::npos);
}

TEST_CASE("a layer above the active one is no part of a snapshot",
          "[node][qemu][disk_layers][safety]") {
  const auto done = prepare(3, {"disk0-1", "disk0-2", "disk0-3"});
  REQUIRE_FALSE(done);
  CHECK(done.error().message.find("not part of") != std::string::npos);
}
