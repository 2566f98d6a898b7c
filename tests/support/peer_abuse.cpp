// SPDX-License-Identifier: Apache-2.0
// peer_abuse PORT CERTIFICATE KEY ATTACK: what the holder of a certificate
// does to a coordinator of this machine and to other peers. Prints what came
// of it; exit 0 when all of it was refused.
//   spray    answers that nobody asked it for
//   foreign  news in the name of host h1
//   flood    requests without end, and reads no answer
//   follow   seventy requests that wait for events
//   idle     connections that never say who they are
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <thread>
#include <vector>

#include "actors/membership_protocol.hpp"
#include "tests/support/tls_peer.hpp"
#include "tests/support/wire_bytes.hpp"

namespace {

using namespace forkfleet;
using namespace forkfleet::test;

struct attacker {
  uint16_t port = 0;
  tls_material files = {};

  std::unique_ptr<tls_peer> join(unsigned seed) const {
    auto peer = std::make_unique<tls_peer>(port, files);
    if (!peer->greet(node_bytes(seed)))
      return nullptr;
    return peer;
  }
};

// For any actor and any number that the coordinator may be waiting for.
int spray(const attacker& me) {
  constexpr uint64_t actors = 60;
  constexpr uint64_t requests = 600;
  auto sent = uint64_t{0};
  auto closed = uint64_t{0};
  auto peer = me.join(1);
  for (auto round = 0; round < 3 && peer; ++round)
    for (uint64_t actor = 1; actor <= actors && peer; ++actor)
      for (uint64_t request = 0; request <= requests; ++request) {
        auto x = direct("+@error", packed_error(44));
        x.data = 0x9000000000000000 | request;
        x.target = actor;
        if (peer->send(x.bytes())) {
          ++sent;
          continue;
        }
        peer.reset();
        ++closed;
        break;
      }
  std::cout << "sent=" << sent << " closed=" << closed << '\n';
  return sent > 0 ? 0 : 1;
}

int foreign(const attacker& me) {
  const auto who = node_bytes(2);
  const auto h1 = host_name{"h1"};
  // The incarnation is a small number that everybody sees.
  constexpr uint64_t life = 1;
  const auto attacks = std::map<std::string, frame>{
    {"page", told(inventory_page{
               .host = h1, .incarnation = life, .whole = true, .last = true})},
    {"events", told(node_events{.host = h1, .incarnation = life})},
    {"goodbye", told(node_goodbye{.host = h1, .incarnation = life})},
    {"heartbeat", told(node_heartbeat{.host = h1, .incarnation = life})},
    {"hello", told_hello(node_hello{.host = h1, .incarnation = 1000}, who)},
    {"event of h1 within h2's",
     told(node_events{.host = {"h2"},
                      .incarnation = life,
                      .events = {{.kind = "node.lost", .host = h1}}})},
    {"sandbox of h1 within h2's",
     told(inventory_page{.host = {"h2"},
                         .incarnation = life,
                         .sandboxes = {{.id = {"a"}, .host = h1}}})},
  };
  auto survived = 0;
  for (const auto& [what, x] : attacks) {
    auto peer = me.join(2);
    auto aimed = x;
    if (peer)
      aimed.target = peer->served_actor();
    if (peer && peer->send(aimed.bytes()) && !peer->is_closed()) {
      std::cout << "NOT REFUSED: " << what << '\n';
      ++survived;
    }
  }
  std::cout << "attacks=" << attacks.size() << '\n';
  return survived == 0 ? 0 : 1;
}

int flood(const attacker& me) {
  constexpr uint64_t requests = 118'000;
  auto sent = uint64_t{0};
  auto peers = std::vector<std::unique_ptr<tls_peer>>{};
  for (auto i = 0U; i < 4; ++i)
    peers.push_back(me.join(30 + i));
  for (auto& peer : peers) {
    if (!peer)
      continue;
    auto x = told(nodes_request{});
    x.target = peer->served_actor();
    for (uint64_t i = 0; i < requests && peer->send(x.bytes()); ++i) {
      ++x.data;
      ++sent;
    }
  }
  std::cout << "sent=" << sent << '\n';
  return sent > 0 ? 0 : 1;
}

// How many of so many requests that wait for events are refused. What happens
// in the fleet meanwhile answers some of them.
int count_refused(tls_peer& peer, frame& x, int waits) {
  auto head = frame_header{};
  auto payload = std::string{};
  const auto now = told(events_request{.from_now = true});
  x.payload = now.payload;
  ++x.data;
  // From the latest on there is nothing to tell yet.
  if (!peer.send(x.bytes()))
    return 0;
  do
    if (!peer.receive(head, payload))
      return 0;
  while (payload.find("event_list") == std::string::npos);
  const auto latest = payload.substr(payload.size() - 16, 8);
  x.payload = direct("+forkfleet::events_request",
                     latest + number(20'000, 8) + number(0, 1))
                .payload;
  for (auto i = 0; i < waits; ++i) {
    ++x.data;
    if (!peer.send(x.bytes()))
      return 0;
  }
  auto refused = 0;
  while (refused < waits && peer.receive(head, payload))
    refused += payload.find("@error") != std::string::npos ? 1 : 0;
  return refused;
}

int follow(const attacker& me) {
  constexpr auto waits = 70;
  auto peer = me.join(40);
  if (!peer)
    return 1;
  auto x = told(events_request{.from_now = true});
  x.target = peer->served_actor();
  auto refused = 0;
  for (auto i = 0; i < 10 && refused < waits - 16; ++i)
    refused = count_refused(*peer, x, waits);
  std::cout << "refused=" << refused << '\n';
  return refused >= waits - 16 ? 0 : 1;
}

int idle(const attacker& me) {
  constexpr auto connections = 330;
  constexpr auto held = std::chrono::seconds{4};
  auto strangers = std::vector<std::unique_ptr<tls_peer>>{};
  // Without a handshake: no certificate is shown.
  for (auto i = 0; i < connections; ++i)
    strangers.push_back(std::make_unique<tls_peer>(me.port));
  std::cout << "open\n" << std::flush;
  std::this_thread::sleep_for(held);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: peer_abuse PORT CERTIFICATE KEY ATTACK\n";
    return 2;
  }
  const auto me = attacker{
    .port = static_cast<uint16_t>(std::strtoul(argv[1], nullptr, 10)),
    .files = {.authority = {}, .certificate = argv[2], .key = argv[3]}};
  const auto attacks =
    std::map<std::string_view, int (*)(const attacker&)>{{"spray", spray},
                                                         {"foreign", foreign},
                                                         {"flood", flood},
                                                         {"follow", follow},
                                                         {"idle", idle}};
  const auto found = attacks.find(argv[4]);
  return found == attacks.end() ? 2 : found->second(me);
}
