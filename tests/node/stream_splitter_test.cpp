// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/stream_splitter.hpp"

#include <random>

#include <catch2/catch.hpp>

#include "tests/support/stream_maker.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;
using namespace forkfleet::test;

namespace {

constexpr std::size_t memory_bytes = 4 * page_bytes;

struct outcome {
  expected<split_result> result;
  memory_sink sink;
};

outcome split(const std::vector<uint8_t>& stream, std::size_t step = 1 << 20) {
  auto source = memory_source{stream, step};
  auto sink = memory_sink{memory_bytes};
  auto result = split_stream(source, sink, {.memory_bytes = memory_bytes});
  return {std::move(result), std::move(sink)};
}

stream_maker begun() {
  return stream_maker{}.header().configuration("m").start(
    {{"mem", memory_bytes}});
}

} // namespace

TEST_CASE("pages go to memory and all the rest to the state",
          "[node][qemu][splitter]") {
  const auto step = GENERATE(std::size_t{1 << 20}, std::size_t{7});
  const auto x = split(small_stream(), step);
  REQUIRE(x.result);
  CHECK(x.result->memory_block == "mem");
  CHECK(x.result->data_pages == 3);
  CHECK(x.result->zero_pages == 1);
  CHECK(x.sink.memory[0] == 1);
  CHECK(x.sink.memory[page_bytes] == 2);
  CHECK(x.sink.memory[2 * page_bytes] == 0);
  CHECK(x.sink.memory[3 * page_bytes] == 4);
  CHECK(x.result->state_bytes == x.sink.state.size());
}

TEST_CASE("the state is the stream without the memory's pages",
          "[node][qemu][splitter]") {
  const auto wanted = stream_maker{}
                        .header()
                        .configuration("microvm")
                        .start({{"mem", memory_bytes}, {"bios", page_bytes}})
                        .begin_part()
                        .page("bios", 0, 9)
                        .end_part()
                        .command()
                        .begin_part()
                        .end_part()
                        .state("device state")
                        .bytes;
  const auto x = split(small_stream());
  CHECK(x.sink.state == std::string(wanted.begin(), wanted.end()));
}

TEST_CASE("a page that becomes zero after it had data is written as zeros",
          "[node][qemu][splitter][safety]") {
  const auto x = split(begun()
                         .begin_part()
                         .page("mem", 0, 1)
                         .next_page(page_bytes, 2)
                         .zero("mem", 0)
                         .zero("mem", 2 * page_bytes)
                         .zero("mem", 3 * page_bytes)
                         .end_part()
                         .state("s")
                         .bytes);
  REQUIRE(x.result);
  CHECK(x.sink.memory[0] == 0);
  CHECK(x.sink.memory[page_bytes] == 2);
}

TEST_CASE("a stream that lacks a page is refused",
          "[node][qemu][splitter][safety]") {
  const auto x = split(begun()
                         .begin_part()
                         .page("mem", 0, 1)
                         .next_page(2 * page_bytes, 3)
                         .end_part()
                         .state("s")
                         .bytes);
  REQUIRE_FALSE(x.result);
  CHECK(x.result.error().code == ec::vmm_refused);
  CHECK(x.result.error().message.find("2 of 4 pages") != std::string::npos);
}

TEST_CASE("whatever is unknown in a stream is refused with its place",
          "[node][qemu][splitter][safety]") {
  const auto streams = std::vector<std::vector<uint8_t>>{
    stream_maker{}.text("QEVM").number(2, 4).bytes,
    stream_maker{}.text("no stream at all").bytes,
    stream_maker{}.header().byte(0x55).bytes,
    stream_maker{}.header().byte(0x01).number(2, 4).byte(5).text("block").bytes,
    stream_maker{}.header().start({{"mem", page_bytes}}).bytes,
    begun().begin_part().number(0x40, 8).byte(3).text("mem").bytes,
    begun().begin_part().page("mem", memory_bytes, 1).bytes,
    begun().begin_part().page("nobody", 0, 1).bytes,
    begun().byte(0x02).number(3, 4).bytes,
    begun().begin_part().number(0x10, 8).byte(0x7e).number(9, 4).bytes,
    begun().byte(0x00).bytes,
    {}};
  for (std::size_t i = 0; i < streams.size(); ++i) {
    CAPTURE(i);
    const auto x = split(streams[i]);
    REQUIRE_FALSE(x.result);
    CHECK(x.result.error().code == ec::vmm_refused);
    CHECK(x.result.error().message.starts_with("migration stream, byte "));
  }
}

TEST_CASE("a stream that is cut before its state is refused at every byte",
          "[node][qemu][splitter][property]") {
  const auto whole = small_stream();
  const auto state = std::string{"device state"}.size();
  for (std::size_t size = 0; size < whole.size() - state; size += 97) {
    CAPTURE(size);
    auto cut = whole;
    cut.resize(size);
    REQUIRE_FALSE(split(cut).result);
  }
}

TEST_CASE("an error of the sink ends the splitting with that error",
          "[node][qemu][splitter]") {
  const auto stream = small_stream();
  for (std::size_t limit = 0; limit < 5; ++limit) {
    auto source = memory_source{stream};
    auto sink = memory_sink{memory_bytes};
    sink.writes_left = limit;
    const auto result =
      split_stream(source, sink, {.memory_bytes = memory_bytes});
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ec::disk_full);
    CHECK(sink.writes == limit + 1);
  }
}

TEST_CASE("damaged streams never break the splitter",
          "[node][qemu][splitter][property]") {
  const auto whole = small_stream();
  auto random = std::mt19937{4711};
  for (int round = 0; round < 20000; ++round) {
    auto damaged = whole;
    for (int i = 0; i < 1 + round % 4; ++i) {
      // Most bytes are inside pages, where damage is not seen.
      const auto at = round % 2 == 0 ? random() % 120 : random() % whole.size();
      damaged[at] = static_cast<uint8_t>(random());
    }
    if (const auto x = split(damaged); !x.result)
      REQUIRE(x.result.error().code == ec::vmm_refused);
  }
}

TEST_CASE("the memory's block can be named", "[node][qemu][splitter]") {
  const auto stream = small_stream();
  const auto right = GENERATE(true, false);
  auto source = memory_source{stream};
  auto sink = memory_sink{memory_bytes};
  const auto result = split_stream(
    source, sink,
    {.memory_bytes = memory_bytes, .memory_block = right ? "mem" : "bios"});
  CHECK(result.has_value() == right);
}
