// SPDX-License-Identifier: Apache-2.0
#include "examples/watch_log.hpp"

#include <cstring>

#include <catch2/catch.hpp>

using namespace forkfleet::guest;
using namespace std::chrono_literals;

namespace {

struct log_fixture {
  watch_log log;
  host_time start = host_time(100s);
  host_time now = start;
  uint64_t counter = 0;

  void hear(const record& x) { log.feed(encode(x), now); }
  void hear_ticks(int count, std::chrono::nanoseconds apart = 500us) {
    for (int i = 0; i < count; ++i) {
      now += apart;
      hear({record_kind::tick, 0, ++counter, counter * 500});
    }
  }
};

} // namespace

TEST_CASE_METHOD(log_fixture, "the longest silence is found with its place",
                 "[examples][watch_log]") {
  hear_ticks(10);
  const auto before = now;
  now += 20ms;
  hear_ticks(10);
  const auto found = log.longest_silence(start, now);
  CHECK(found.duration() == 20500us);
  CHECK(found.from == before);
  CHECK(log.longest_silence(before + 5ms, before + 6ms).duration() == 20500us);
  CHECK(log.silences(start, now).p50 == 500us);
  CHECK(log.silences(start, now).count == 19);
  CHECK(log.leaps() == 0);
}

TEST_CASE_METHOD(log_fixture, "a guest that fell silent is silent to the end",
                 "[examples][watch_log]") {
  hear_ticks(10);
  CHECK(log.longest_silence(start, now + 3s).duration() == 3s);
  CHECK(watch_log().longest_silence(start, start + 1s).duration() == 1s);
}

TEST_CASE_METHOD(log_fixture, "ticks are found by the time they were heard",
                 "[examples][watch_log]") {
  hear_ticks(4);
  CHECK(log.first()->counter == 1);
  CHECK(log.last()->counter == 4);
  CHECK(log.last_before(start + 1ms)->counter == 1);
  CHECK(log.first_after(start + 1ms)->counter == 2);
  CHECK_FALSE(log.last_before(start));
  CHECK_FALSE(log.first_after(now + 1ns));
}

TEST_CASE_METHOD(log_fixture, "a counter that leaps is noticed",
                 "[examples][watch_log][safety]") {
  hear_ticks(3);
  counter += 1;
  hear_ticks(3);
  CHECK(log.leaps() == 1);
}

TEST_CASE_METHOD(log_fixture, "a reader that comes in a record finds the next",
                 "[examples][watch_log]") {
  const auto first = encode({record_kind::tick, 0, 0xf7f7f7f7f7, 0xf7f7});
  for (size_t from = 1; from < record_size; ++from) {
    watch_log late;
    late.feed(std::span(first).subspan(from), now);
    for (uint64_t i = 1; i < 6; ++i)
      late.feed(encode({record_kind::tick, 0, i, 0}), now);
    CHECK(late.last()->counter == 5);
    CHECK(late.stray_bytes() == record_size - from);
    CHECK(late.bytes_wanted() == record_size);
  }
}

TEST_CASE_METHOD(log_fixture, "the guest's first error arrives as it was",
                 "[examples][watch_log]") {
  const std::string text = "sweep: page 7";
  for (size_t at = 0; at < text.size(); at += record_text_size) {
    record x{at == 0 ? record_kind::text_begin : record_kind::text_more, 3};
    char part[record_text_size] = {};
    text.copy(part, sizeof part, at);
    std::memcpy(&x.value, part, 5);
    std::memcpy(&x.detail, part + 5, 6);
    hear(x);
  }
  CHECK(log.state().errors == 3);
  CHECK(log.state().first_error == text);
}

TEST_CASE_METHOD(log_fixture, "no more ticks are kept than the limit",
                 "[examples][watch_log]") {
  for (size_t i = 0; i < watch_log::ticks_max + 5; ++i)
    hear({record_kind::tick, 0, i, 0});
  CHECK(log.ticks() == watch_log::ticks_max + 5);
  CHECK(log.first()->counter == 0);
  CHECK(log.last_before(now + 1ns)->counter == watch_log::ticks_max + 4);
  CHECK(log.first_after(now)->counter == 5);
}
