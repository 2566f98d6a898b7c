// SPDX-License-Identifier: Apache-2.0
#include "tests/support/abuse.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <random>
#include <sys/socket.h>
#include <sys/un.h>

#include "actors/link/endpoint.hpp"
#include "actors/link/frame.hpp"
#include "tests/support/frames.hpp"

namespace forkfleet::test {

namespace {

constexpr int patience_ms = 5000;
constexpr std::size_t header_size = 32;
constexpr unsigned frames_per_connection = 30;
constexpr std::size_t nesting = 20000;

bool wait_for(int socket, short what, int limit_ms) {
  auto entry = pollfd{.fd = socket, .events = what, .revents = 0};
  return ::poll(&entry, 1, limit_ms) == 1;
}

std::string random_bytes(std::mt19937_64& dice, std::size_t count) {
  auto result = std::string(count, '\0');
  std::generate(result.begin(), result.end(),
                [&dice] { return static_cast<char>(dice()); });
  return result;
}

std::string nested_message() {
  auto result = std::string{};
  for (auto i = std::size_t{0}; i < nesting; ++i)
    result += number(0, 2) + packed_text("@<>+@message");
  return result;
}

frame with_claimed_size(basp what, uint32_t size) {
  return {.what = what, .data = 1, .target = 1, .claimed_size = size};
}

frame stream_message() {
  auto result = sound_request();
  result.data = 0x3000000000000001;
  return result;
}

frame to_service(std::string_view service) {
  auto result = direct("+@atom+@atom+@str",
                       number(0, 8) + number(0, 8) + packed_text("info"));
  result.flags = 1;
  result.target = packed_name(service);
  return result;
}

frame foreign_hello() {
  const auto values = number(1, 4) + packed_text("h1") + number(1, 8)
                      + number(0, 8) + packed_text("") + packed_text("")
                      + packed_text("") + packed_text("");
  return direct("+forkfleet::node_hello+forkfleet::node_actor",
                values + number(0, 64) + number(9, 8) + node_bytes(9));
}

std::vector<attack> first_frames() {
  const auto big = 0xFFFFFFFFU;
  auto exit = direct("+@exit", number(0, 64));
  return {
    {"HTTP", false, "GET / HTTP/1.1\r\nHost: fleet.example\r\n\r\n"},
    {"zeros", false, std::string(4096, '\0')},
    {"empty server handshake", false,
     frame{.what = basp::server_handshake, .data = 3}.bytes()},
    {"empty client handshake", false,
     frame{.what = basp::client_handshake}.bytes()},
    {"4 GiB announced", false, with_claimed_size(basp::direct, big).bytes()},
    {"4 GiB handshake announced", false,
     with_claimed_size(basp::client_handshake, big).bytes()},
    {"message without handshake", false, sound_request().bytes()},
    {"exit without handshake", false, exit.bytes()},
    {"half a header", false, std::string(header_size / 2, '\1')},
    {"nothing at all", false, ""},
  };
}

} // namespace

void raw_peer::connect_locally(const std::string& path) {
  auto where = sockaddr_un{};
  where.sun_family = AF_UNIX;
  if (path.size() >= sizeof where.sun_path)
    return;
  path.copy(where.sun_path, path.size());
  auto made = owned_fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const auto limit = timeval{.tv_sec = patience_ms / 1000, .tv_usec = 0};
  ::setsockopt(made.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  ::setsockopt(made.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(made.get(), reinterpret_cast<const sockaddr*>(&where),
                sizeof where)
      == 0)
    socket_ = std::move(made);
}

raw_peer::raw_peer(const std::string& address, uint16_t port) {
  if (address.starts_with('/'))
    return connect_locally(address);
  auto where = sockaddr_in{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  if (!is_loopback(address)
      || ::inet_pton(AF_INET, address.c_str(), &where.sin_addr) != 1)
    return;
  auto made = owned_fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const auto limit = timeval{.tv_sec = patience_ms / 1000, .tv_usec = 0};
  ::setsockopt(made.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  ::setsockopt(made.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(made.get(), reinterpret_cast<const sockaddr*>(&where),
                sizeof where)
      == 0)
    socket_ = std::move(made);
}

bool raw_peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent =
      ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string raw_peer::receive(std::size_t bytes) {
  auto result = std::string(bytes, '\0');
  const auto got = ::recv(socket_.get(), result.data(), bytes, MSG_WAITALL);
  result.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return result;
}

bool raw_peer::greet(const std::string& node) {
  if (!is_connected() || !send(client_handshake(node).bytes()))
    return false;
  const auto bytes = receive(header_size);
  if (bytes.size() != header_size || bytes[0] != 0)
    return false;
  const auto payload = receive(frame_header::read(bytes).payload_size);
  auto in = wire_reader{payload};
  auto own = std::string_view{};
  auto names = std::size_t{0};
  auto name = std::string_view{};
  if (!in.raw(node.size(), own) || !in.length(names))
    return false;
  for (; names > 0; --names)
    if (!in.text(name))
      return false;
  server_node_ = own;
  return in.number(served_actor_);
}

std::size_t raw_peer::drain() {
  char ignored[65536];
  auto sum = std::size_t{0};
  for (;;) {
    const auto got =
      ::recv(socket_.get(), ignored, sizeof ignored, MSG_DONTWAIT);
    if (got <= 0)
      return sum;
    sum += static_cast<std::size_t>(got);
  }
}

bool raw_peer::is_closed_within(std::chrono::milliseconds limit) {
  char ignored[4096];
  // What it still sends is read away, in bounded pieces.
  for (auto left = static_cast<int>(limit.count()); left > 0; left -= 50) {
    if (!wait_for(socket_.get(), POLLIN, 50))
      continue;
    if (::recv(socket_.get(), ignored, sizeof ignored, MSG_DONTWAIT) <= 0)
      return true;
  }
  return false;
}

std::vector<attack> attacks(const std::string& server_node, uint64_t actor) {
  auto result = first_frames();
  const auto me = node_bytes(7);
  const auto add = [&result, actor](std::string name, frame x) {
    if (x.target == some_actor)
      x.target = actor;
    result.push_back({std::move(name), true, x.bytes()});
  };
  add("exit message", direct("+@exit", number(0, 64)));
  add("nested messages", direct("+@message", nested_message()));
  add("bytes of 4 GiB",
      direct("+@charbuf", std::string{"\xff\xff\xff\xff\x0f"}));
  add("text of 4 GiB", direct("+forkfleet::operation_query",
                              std::string{"\xff\xff\xff\xff\x0f"}));
  add("handles of strangers",
      direct("+@actorvec", packed_length(3) + number(5, 8) + node_bytes(8)));
  add("stream message", stream_message());
  add("frame over the limit", direct("+forkfleet::operation_query",
                                     packed_text(std::string(400000, 'x'))));
  add("remote configuration", to_service("ConfigServ"));
  add("link", direct("+@atom+@strong_actor_ptr",
                     number(packed_name("link"), 8) + number(1, 8) + me));
  add("server handshake", server_handshake(me));
  add("second identity", client_handshake(node_bytes(6)));
  add("routed message",
      {.what = basp::routed, .target = 1, .payload = me + server_node});
  add("monitor for another", monitor(node_bytes(6), server_node));
  add("down for another", down(node_bytes(6), server_node));
  add("hello with a stranger's handle", foreign_hello());
  auto twice = sound_request();
  twice.target = actor;
  result.push_back({"a request twice", true, twice.bytes() + twice.bytes()});
  auto astray = sound_request();
  astray.target = actor + 1;
  add("request to another actor", astray);
  auto unanswerable = sound_request();
  unanswerable.data = 0x1000000000000000;
  add("message that wants no answer", unanswerable);
  add("news without a hello",
      direct("+forkfleet::node_goodbye", packed_text("h1") + number(1, 8)));
  add("unknown operation", {.what = static_cast<basp>(77)});
  add("unknown message", direct("+forkfleet::nonsense", "x"));
  return result;
}

namespace {

class fuzzer {
public:
  explicit fuzzer(const abuse_plan& plan) : plan_(plan), dice_(plan.seed) {}

  unsigned random_connection(const std::string& server_node, uint64_t actor) {
    auto peer = raw_peer{plan_.address, plan_.port};
    if (dice_() % 4 == 0)
      return peer.send(random_bytes(dice_, dice_() % 5000)) ? 1 : 0;
    const auto me = node_bytes(static_cast<unsigned>(dice_() % 1000) + 10);
    if (!peer.greet(me))
      return 0;
    auto frames = 0U;
    while (frames < frames_per_connection
           && peer.send(damaged(me, server_node, actor, frames)))
      ++frames;
    return frames;
  }

private:
  std::string damaged(const std::string& me, const std::string& server_node,
                      uint64_t actor, unsigned number_of_frame) {
    const auto choices = {sound_request(),
                          monitor(me, server_node),
                          down(me, server_node),
                          frame{},
                          client_handshake(me),
                          foreign_hello(),
                          direct("+forkfleet::done", packed_text("note"))};
    auto chosen = *(choices.begin() + dice_() % choices.size());
    if (chosen.target == some_actor)
      chosen.target = actor;
    if (chosen.what == basp::direct)
      chosen.data += number_of_frame;
    auto bytes = chosen.bytes();
    // Most are left whole, so that what follows them is reached too.
    for (auto changes = dice_() % 8; changes > 5; --changes)
      bytes[dice_() % bytes.size()] = static_cast<char>(dice_());
    return bytes;
  }

  const abuse_plan& plan_;
  std::mt19937_64 dice_;
};

} // namespace

abuse_report abuse(const abuse_plan& plan) {
  auto report = abuse_report{};
  auto first = raw_peer{plan.address, plan.port};
  first.greet(node_bytes(5));
  const auto server_node = first.server_node();
  const auto actor = first.served_actor();
  for (const auto& x : attacks(server_node, actor)) {
    auto peer = raw_peer{plan.address, plan.port};
    ++report.attacks;
    if (x.is_greeted && !peer.greet(node_bytes(7)))
      report.survived.push_back(x.name + ": could not even greet");
    else if (peer.send(x.bytes) && !peer.is_closed_within(plan.patience))
      report.survived.push_back(x.name);
  }
  for (auto i = 0U; i < plan.empty_connections; ++i)
    raw_peer{plan.address, plan.port};
  auto random = fuzzer{plan};
  for (auto i = 0U; i < plan.fuzz_connections; ++i)
    report.fuzz_frames += random.random_connection(server_node, actor);
  auto last = raw_peer{plan.address, plan.port};
  report.still_answers = last.greet(node_bytes(4));
  return report;
}

} // namespace forkfleet::test
