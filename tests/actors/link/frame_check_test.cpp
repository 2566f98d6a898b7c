// SPDX-License-Identifier: Apache-2.0
#include "actors/link/frame_check.hpp"

#include <random>

#include <catch2/catch.hpp>

#include "actors/link/limits.hpp"
#include "tests/support/frame_fixture.hpp"

using namespace forkfleet;
using test::accepted_fixture;
using test::answer;
using test::dialled_fixture;
using test::direct;
using test::number;
using test::other;
using test::own;
using test::packed_length;
using test::packed_text;
using test::peer;

TEST_CASE_METHOD(accepted_fixture, "sound frames pass unchanged",
                 "[actors][frame_check]") {
  const auto bytes = test::client_handshake(peer).bytes()
                     + test::sound_request().bytes()
                     + test::monitor(peer, own).bytes() + test::frame{}.bytes()
                     + test::down(peer, own).bytes();
  CHECK(send(bytes) == frame_fault::none);
  CHECK(std::string(out.begin(), out.end()) == bytes);
  CHECK(check.frames() == 5);
  CHECK_FALSE(check.is_mid_frame());
}

TEST_CASE_METHOD(accepted_fixture, "frames pass whatever pieces they come in",
                 "[actors][frame_check]") {
  const auto bytes = test::client_handshake(peer).bytes()
                     + test::sound_request().bytes() + test::frame{}.bytes();
  for (const auto c : bytes)
    CHECK(send(std::string(1, c)) == frame_fault::none);
  CHECK(std::string(out.begin(), out.end()) == bytes);
}

TEST_CASE_METHOD(accepted_fixture, "part of a frame is never passed",
                 "[actors][frame_check][safety]") {
  greet();
  out.clear();
  const auto bytes = test::sound_request().bytes();
  CHECK(send(bytes.substr(0, bytes.size() - 1)) == frame_fault::none);
  CHECK(out.empty());
  CHECK(check.is_mid_frame());
}

TEST_CASE_METHOD(accepted_fixture, "nothing passes before a handshake",
                 "[actors][frame_check][safety]") {
  const auto first = GENERATE(test::sound_request(), test::monitor(peer, own),
                              test::down(peer, own), test::frame{},
                              test::server_handshake(peer));
  CHECK(send(first) == frame_fault::unexpected_operation);
  CHECK(out.empty());
}

TEST_CASE_METHOD(accepted_fixture, "a handshake without content is refused",
                 "[actors][frame_check][safety]") {
  CHECK(send(test::frame{.what = test::basp::client_handshake})
        == frame_fault::bad_length);
}

TEST_CASE_METHOD(accepted_fixture, "only a heartbeat may be empty",
                 "[actors][frame_check][safety]") {
  const auto what = GENERATE(test::basp::direct, test::basp::monitor,
                             test::basp::down, test::basp::client_handshake);
  CHECK(greet_and_send({.what = what}) == frame_fault::bad_length);
}

TEST_CASE_METHOD(accepted_fixture,
                 "a length beyond the limit is refused by its header alone",
                 "[actors][frame_check][safety]") {
  greet();
  auto huge = test::sound_request();
  huge.payload.clear();
  huge.claimed_size =
    GENERATE(0xFFFFFFFFU, static_cast<uint32_t>(frame_payload_max + 1));
  CHECK(send(huge) == frame_fault::too_long);
}

TEST_CASE_METHOD(accepted_fixture, "after a fault nothing passes any more",
                 "[actors][frame_check][safety]") {
  greet();
  out.clear();
  CHECK(send(test::frame{.what = test::basp::routed, .payload = "x"})
        == frame_fault::unexpected_operation);
  CHECK(send(test::sound_request()) == frame_fault::unexpected_operation);
  CHECK(out.empty());
}

TEST_CASE_METHOD(accepted_fixture,
                 "a client may repeat its handshake, as itself alone",
                 "[actors][frame_check]") {
  greet();
  auto again = test::client_handshake(peer);
  again.flags = 2;
  CHECK(send(again) == frame_fault::none);
  CHECK(send(test::client_handshake(other)) == frame_fault::foreign_node);
}

TEST_CASE_METHOD(accepted_fixture, "nobody speaks for another program",
                 "[actors][frame_check][safety]") {
  const auto lie =
    GENERATE(test::monitor(other, own), test::down(other, own),
             test::monitor(peer, other), test::down(peer, other));
  CHECK(greet_and_send(lie) == frame_fault::foreign_node);
}

TEST_CASE_METHOD(accepted_fixture, "nobody may claim to be us",
                 "[actors][frame_check][safety]") {
  CHECK(send(test::client_handshake(own)) == frame_fault::foreign_node);
}

TEST_CASE_METHOD(accepted_fixture, "a stream message is refused",
                 "[actors][frame_check][safety]") {
  auto stream = test::sound_request();
  stream.data = GENERATE(0x2000000000000001ULL, 0x3000000000000001ULL);
  CHECK(greet_and_send(stream) == frame_fault::stream_message);
}

TEST_CASE_METHOD(accepted_fixture,
                 "what is for CAF's spawn service goes nowhere",
                 "[actors][frame_check][safety]") {
  greet();
  out.clear();
  auto asked = direct("+@atom+@atom+@str", std::string(16, 'x'));
  asked.flags = 1;
  asked.target = test::packed_name("SpawnServ");
  CHECK(send(asked) == frame_fault::none);
  CHECK(out.empty());
  asked.target = test::packed_name("ConfigServ");
  CHECK(send(asked) == frame_fault::named_receiver);
}

TEST_CASE_METHOD(accepted_fixture, "messages of CAF's own are refused",
                 "[actors][frame_check][safety]") {
  const auto types =
    GENERATE(as<std::string>{}, "", "+@exit", "+@down", "+@message", "+@group",
             "+@charbuf", "+@config_value", "+@unit", "+@strong_actor_ptr",
             "+@atom+@strong_actor_ptr", "+@open_stream_msg", "+@str",
             "+nonsense", "+forkfleet::", "+forkfleet::connect_request",
             "+forkfleet::done+forkfleet::done", "+forkfleet::node_actor");
  CHECK(greet_and_send(direct(types, std::string(64, '\0')))
        == frame_fault::forbidden_content);
}

TEST_CASE_METHOD(accepted_fixture,
                 "a message that is shorter or longer than it says is refused",
                 "[actors][frame_check][safety]") {
  const auto values = GENERATE(
    as<std::string>{}, "", "\x05op-1", "\x04op-1x",
    // A text of 4 GiB, and a length that does not end.
    "\xff\xff\xff\xff\x0f", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  CHECK(greet_and_send(direct("+forkfleet::operation_query", values))
        == frame_fault::malformed_content);
}

TEST_CASE_METHOD(accepted_fixture, "a message with stages is refused",
                 "[actors][frame_check][safety]") {
  auto staged = test::sound_request();
  staged.payload =
    packed_length(1) + number(5, 8) + peer + staged.payload.substr(1);
  CHECK(greet_and_send(staged) == frame_fault::malformed_content);
}

TEST_CASE_METHOD(accepted_fixture, "an unknown number of an enum is refused",
                 "[actors][frame_check][safety]") {
  const auto values = packed_text("op-1") + packed_text("web")
                      + packed_text("tag") + number(200, 1) + number(0, 16);
  CHECK(greet_and_send(direct("+forkfleet::branch_request", values))
        == frame_fault::malformed_content);
}

TEST_CASE_METHOD(accepted_fixture,
                 "an error's context holds texts and numbers alone",
                 "[actors][frame_check][safety]") {
  const auto with_context = [](std::string_view types,
                               std::string_view values) {
    return direct("+@error", number(1, 1) + number(7, 8) + number(0, 2)
                               + packed_text("@<>" + std::string{types})
                               + std::string{values});
  };
  greet();
  ask_peer(1);
  ask_peer(2);
  ask_peer(3);
  CHECK(send(answer(1, with_context("", ""))) == frame_fault::none);
  CHECK(send(answer(
          2, with_context("+@str+@u16", packed_text("why") + number(4, 2))))
        == frame_fault::none);
  CHECK(send(answer(3, with_context("+@message", "")))
        == frame_fault::malformed_content);
}

TEST_CASE_METHOD(dialled_fixture, "a coordinator's hello comes first, once",
                 "[actors][frame_check][safety]") {
  CHECK(send(test::server_handshake(peer, {"a", "b"})) == frame_fault::none);
  CHECK(check.peer_node() == peer);
  CHECK(send(test::sound_request()) == frame_fault::none);
  CHECK(send(test::server_handshake(peer))
        == frame_fault::unexpected_operation);
}

TEST_CASE_METHOD(dialled_fixture, "a coordinator of another version is refused",
                 "[actors][frame_check]") {
  auto hello = test::server_handshake(peer);
  hello.data = 4;
  CHECK(send(hello) == frame_fault::other_version);
}

TEST_CASE_METHOD(dialled_fixture, "a coordinator's broken hello is refused",
                 "[actors][frame_check][safety]") {
  auto hello = test::server_handshake(peer, {"a"});
  const auto cut = GENERATE(1U, 9U, 20U, 50U);
  hello.payload.resize(hello.payload.size() - cut);
  CHECK(send(hello) == frame_fault::bad_handshake);
}

TEST_CASE("no bytes make the check read beyond them or hold more than a frame",
          "[actors][frame_check][property]") {
  const auto seed = GENERATE(range(1U, 40U));
  CAPTURE(seed);
  auto dice = std::mt19937_64{seed};
  auto with = exchange{peer_role::local, {}};
  auto check = frame_check{frame_check::side::accepted, own, with};
  auto out = std::vector<char>{};
  with.open_to_peer(test::some_actor);
  check.feed(test::client_handshake(peer).bytes(), out);
  const auto sound = test::sound_request().bytes();
  for (auto i = 0; i < 200; ++i) {
    auto bytes = sound;
    for (auto changes = dice() % 4; changes > 0; --changes)
      bytes[dice() % bytes.size()] = static_cast<char>(dice());
    bytes.resize(bytes.size() - dice() % 3 % bytes.size());
    if (check.feed(bytes, out) != frame_fault::none)
      break;
    REQUIRE(out.size() <= (i + 2) * bytes.size() + 1000);
  }
}
