// SPDX-License-Identifier: Apache-2.0
#include "actors/link/outgoing_check.hpp"

#include <catch2/catch.hpp>

#include "actors/link/limits.hpp"
#include "tests/support/frames.hpp"

using namespace forkfleet;
using test::direct;
using test::packed_text;

namespace {

struct outgoing_fixture {
  exchange with{peer_role::node, "h1"};
  outgoing_check check{with};
  std::vector<char> out;
  std::vector<char> back;

  void send(const std::string& bytes) { check.feed(bytes, out, back); }
  void send(const test::frame& x) { send(x.bytes()); }
  std::string sent() const { return {out.begin(), out.end()}; }
};

test::frame big_frame() {
  return direct("+forkfleet::operation_query",
                packed_text(std::string(frame_payload_max, 'x')));
}

bool is_error(const std::vector<char>& bytes) {
  const auto text = std::string{bytes.begin(), bytes.end()};
  return text.find("@<>+@error") != std::string::npos;
}

} // namespace

TEST_CASE_METHOD(outgoing_fixture, "what is sent passes whole and unchanged",
                 "[actors][outgoing_check]") {
  const auto bytes = test::sound_request().bytes() + test::frame{}.bytes()
                     + test::sound_request().bytes();
  if (GENERATE(false, true)) {
    send(bytes);
  } else {
    for (const auto c : bytes)
      send(std::string(1, c));
  }
  CHECK(sent() == bytes);
  CHECK(back.empty());
}

TEST_CASE_METHOD(outgoing_fixture, "part of a frame waits for its rest",
                 "[actors][outgoing_check]") {
  const auto bytes = test::sound_request().bytes();
  send(bytes.substr(0, bytes.size() - 1));
  CHECK(out.empty());
}

TEST_CASE_METHOD(outgoing_fixture, "what is asked may be answered",
                 "[actors][outgoing_check][safety]") {
  const auto x = test::sound_request();
  CHECK(with.find_asked(x.source, x.data) == nullptr);
  send(x);
  const auto* asked = with.find_asked(x.source, x.data);
  REQUIRE(asked != nullptr);
  CHECK(asked->answer_types == "+forkfleet::operation_status");
  CHECK(with.find_asked(x.source + 1, x.data) == nullptr);
}

TEST_CASE_METHOD(outgoing_fixture, "an answer has the id that was asked by",
                 "[actors][outgoing_check]") {
  const auto* asked = find_question("+forkfleet::operation_query");
  const auto data = message_bits::is_normal | 7;
  REQUIRE(with.take_question(5, data, *asked) == exchange::admission::taken);
  auto x = direct("+forkfleet::operation_status", "");
  x.target = 5;
  x.data = message_bits::is_answer | 7; // urgent, as it came in
  send(x);
  const auto head = frame_header::read(sent());
  CHECK(head.data == (message_bits::is_answer | data));
  CHECK(check.take_answers() == 1);
  CHECK(with.questions() == 1);
  with.note_read(1);
  CHECK(with.questions() == 0);
}

TEST_CASE_METHOD(outgoing_fixture, "a request that is too big comes back",
                 "[actors][outgoing_check][safety]") {
  const auto big = big_frame();
  send(big);
  CHECK(out.empty());
  CHECK(is_error(back));
  const auto head = frame_header::read({back.data(), back.size()});
  CHECK(head.target == big.source);
  CHECK(head.request() == 1);
  CHECK(head.is_answer());
  CHECK(with.find_asked(big.source, big.data) == nullptr);
  REQUIRE(check.take_oversizes().size() == 1);
  send(test::sound_request());
  CHECK(sent() == test::sound_request().bytes());
}

TEST_CASE_METHOD(outgoing_fixture, "an answer that is too big is an error",
                 "[actors][outgoing_check][safety]") {
  const auto* asked = find_question("+forkfleet::operation_query");
  const auto data = message_bits::is_normal | 7;
  REQUIRE(with.take_question(5, data, *asked) == exchange::admission::taken);
  auto big = big_frame();
  big.target = 5;
  big.data = message_bits::is_answer | data;
  send(big);
  CHECK(back.empty());
  CHECK(is_error(out));
  const auto head = frame_header::read(sent());
  CHECK(head.target == 5);
  CHECK(head.data == big.data);
  CHECK(check.take_answers() == 1);
}

TEST_CASE_METHOD(outgoing_fixture, "who is offered may be asked",
                 "[actors][outgoing_check]") {
  CHECK_FALSE(with.may_be_asked(test::some_actor));
  send(test::server_handshake(test::node_bytes(1), {"a", "b"}));
  CHECK(with.may_be_asked(test::some_actor));
  auto ended = test::down(test::node_bytes(1), test::node_bytes(2));
  ended.source = test::some_actor;
  send(ended);
  CHECK_FALSE(with.may_be_asked(test::some_actor));
}
