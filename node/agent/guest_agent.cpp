// SPDX-License-Identifier: Apache-2.0
#include "node/agent/guest_agent.hpp"

#include <algorithm>
#include <array>
#include <poll.h>
#include <random>

#include <fmt/format.h>

#include "actors/base64.hpp"
#include "actors/bounded_text.hpp"
#include "actors/schema/json_limits.hpp"
#include "node/qemu/qmp_client.hpp"
#include "node/qemu/unix_socket.hpp"

namespace forkfleet {

namespace {

using schema::json;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr schema::json_limits answer_limits{
  .values_max = 256, .text_bytes_max = agent_line_bytes_max};
constexpr std::size_t chunk_bytes_max = 48 * 1024;
// A busy guest needs longer, and an answer that comes after the port was
// closed is lost.
constexpr milliseconds sync_patience_first{1000};
constexpr milliseconds sync_patience_last{8000};
constexpr milliseconds look_first{2};
constexpr milliseconds look_last{50};

// Has the agent forget half a command of whoever spoke to it before.
constexpr char flush_byte = '\xff';

std::string bytes_of(const json& value, std::string_view key) {
  const auto& found = qemu::member(value, key);
  return found.is_string()
           ? from_base64(found.get_ref<const std::string&>()).value_or("")
           : std::string{};
}

// By the guest's C library, in the C locale that agents run in.
bool is_missing(const failure& x) {
  return x.code == ec::vmm_refused
         && x.message.ends_with("No such file or directory");
}

} // namespace

expected<guest_agent> guest_agent::connect(const std::string& path,
                                           deadline_point until) {
  for (auto patience = sync_patience_first;;
       patience = std::min(patience * 2, sync_patience_last)) {
    auto socket = qemu::connect_unix(path, SOCK_STREAM, until);
    if (!socket)
      return tl::unexpected(socket.error());
    auto agent = guest_agent{path, std::move(*socket)};
    const auto ready = agent.synchronize(
      std::min(until, deadline_point{steady_clock::now() + patience}));
    if (ready)
      return agent;
    if (ready.error().code != ec::deadline_exceeded)
      return tl::unexpected(ready.error());
    if (steady_clock::now() >= until)
      return fail(ec::deadline_exceeded,
                  path
                    + ": no guest agent answers; the guest must run "
                      "qemu-guest-agent on the port org.qemu.guest_agent.0");
  }
}

// What comes before the answer was meant for somebody else.
status guest_agent::synchronize(deadline_point until) {
  auto dice = std::random_device{};
  const auto number = uint64_t{dice()};
  const auto message =
    json{{"execute", "guest-sync-delimited"}, {"arguments", {{"id", number}}}};
  const auto text = flush_byte + schema::dump(message) + "\n";
  if (auto sent = qemu::send_text(socket_.get(), text, -1, until); !sent)
    return sent;
  for (;;) {
    const auto found = line(until);
    if (!found)
      return tl::unexpected(found.error());
    const auto value = schema::parse_json(*found, answer_limits);
    if (value && qemu::number_member(*value, "return") == number)
      return {};
    if (steady_clock::now() >= until)
      return fail(ec::deadline_exceeded, "the guest agent says other things");
  }
}

expected<json> guest_agent::execute(std::string_view command,
                                    const json& arguments,
                                    deadline_point until) {
  auto message = json{{"execute", command}};
  if (!arguments.empty())
    message["arguments"] = arguments;
  const auto text = schema::dump(message) + "\n";
  if (auto sent = qemu::send_text(socket_.get(), text, -1, until); !sent)
    return tl::unexpected(sent.error());
  auto result = answer(until);
  if (!result)
    return fail(result.error().code, fmt::format("{}: {}: {}", path_, command,
                                                 result.error().message));
  return result;
}

expected<json> guest_agent::answer(deadline_point until) {
  const auto text = line(until);
  if (!text)
    return tl::unexpected(text.error());
  const auto value = schema::parse_json(*text, answer_limits);
  if (!value || !value->is_object())
    return fail(ec::vmm_unreachable, "what answers is no guest agent");
  const auto& error = qemu::member(*value, "error");
  if (!error.is_null())
    return fail(ec::vmm_refused,
                bounded_text(qemu::text_member(error, "desc")));
  return qemu::member(*value, "return");
}

expected<std::string_view> guest_agent::line(deadline_point until) {
  auto room = std::array<char, 16384>{};
  for (;;) {
    if (auto found = lines_.next()) {
      // An answer to a flush begins with the same byte.
      found->remove_prefix(found->rfind(flush_byte) + 1);
      return *found;
    }
    if (lines_.is_too_long())
      return fail(
        ec::vmm_unreachable,
        fmt::format("the guest agent's answer is longer than {} bytes",
                    agent_line_bytes_max));
    // Also of a guest that talks all the time.
    const bool is_late = steady_clock::now() >= until;
    auto got = expected<qemu::received>{fail(ec::deadline_exceeded, {})};
    if (!is_late)
      got = qemu::receive(socket_.get(), room, until);
    if (!got && got.error().code == ec::deadline_exceeded)
      return fail(ec::deadline_exceeded, "the guest agent does not answer");
    if (!got || got->bytes == 0)
      return fail(ec::vmm_unreachable, path_ + ": the VM closed the port");
    lines_.append({room.data(), got->bytes});
  }
}

expected<microseconds> guest_agent::clock(deadline_point until) {
  const auto told = execute("guest-get-time", json::object(), until);
  if (!told)
    return tl::unexpected(told.error());
  if (!told->is_number_integer())
    return fail(ec::vmm_refused, path_ + ": the guest does not tell its clock");
  return microseconds{told->get<int64_t>() / 1000};
}

expected<uint64_t> guest_agent::start(const agent_program& program,
                                      deadline_point until) {
  auto arguments = json{{"path", program.path},
                        {"arg", program.arguments},
                        {"capture-output", true}};
  if (!program.input.empty())
    arguments["input-data"] = to_base64(program.input);
  const auto begun = execute("guest-exec", arguments, until);
  if (!begun)
    return tl::unexpected(begun.error());
  return qemu::number_member(*begun, "pid");
}

expected<agent_process> guest_agent::look(uint64_t process,
                                          deadline_point until) {
  const auto found =
    execute("guest-exec-status", json{{"pid", process}}, until);
  if (!found)
    return tl::unexpected(found.error());
  return agent_process{
    .has_ended = qemu::bool_member(*found, "exited"),
    .status = static_cast<int>(qemu::number_member(*found, "exitcode")),
    .signal = static_cast<int>(qemu::number_member(*found, "signal")),
    .output = bytes_of(*found, "out-data"),
    .errors = bytes_of(*found, "err-data")};
}

expected<agent_process> guest_agent::run(const agent_program& program,
                                         deadline_point until) {
  const auto process = start(program, until);
  if (!process)
    return tl::unexpected(process.error());
  for (auto pause = look_first;; pause = std::min(pause * 2, look_last)) {
    auto found = look(*process, until);
    if (!found || found->has_ended)
      return found;
    if (steady_clock::now() + pause >= until)
      return fail(ec::deadline_exceeded,
                  path_ + ": " + program.path + " did not end in time");
    ::poll(nullptr, 0, static_cast<int>(pause.count()));
  }
}

expected<uint64_t> guest_agent::open(const std::string& path, const char* mode,
                                     deadline_point until) {
  const auto opened =
    execute("guest-file-open", json{{"path", path}, {"mode", mode}}, until);
  if (!opened)
    return tl::unexpected(opened.error());
  return opened->is_number_unsigned() ? opened->get<uint64_t>() : 0;
}

status guest_agent::close(uint64_t handle, deadline_point until) {
  const auto closed =
    execute("guest-file-close", json{{"handle", handle}}, until);
  return closed ? status{} : tl::unexpected(closed.error());
}

status guest_agent::seek(uint64_t handle, uint64_t offset,
                         deadline_point until) {
  if (offset == 0)
    return {};
  const auto moved =
    execute("guest-file-seek",
            json{{"handle", handle}, {"offset", offset}, {"whence", 0}}, until);
  return moved ? status{} : tl::unexpected(moved.error());
}

status guest_agent::write_file(const std::string& path,
                               std::string_view content, deadline_point until) {
  auto offset = uint64_t{0};
  auto result =
    write_piece(path, "w", 0, content.substr(0, chunk_bytes_max), until);
  while (result && content.size() > chunk_bytes_max) {
    content.remove_prefix(chunk_bytes_max);
    offset += chunk_bytes_max;
    result = write_piece(path, "r+", offset, content.substr(0, chunk_bytes_max),
                         until);
  }
  return result;
}

status guest_agent::write_piece(const std::string& path, const char* mode,
                                uint64_t offset, std::string_view content,
                                deadline_point until) {
  const auto handle = open(path, mode, until);
  if (!handle)
    return tl::unexpected(handle.error());
  auto result = seek(*handle, offset, until);
  if (result && !content.empty()) {
    const auto written = execute(
      "guest-file-write",
      json{{"handle", *handle}, {"buf-b64", to_base64(content)}}, until);
    if (!written)
      result = tl::unexpected(written.error());
    else if (qemu::number_member(*written, "count") != content.size())
      result = fail(ec::vmm_refused, path_ + ": " + path + ": a short write");
  }
  const auto closed = close(*handle, until);
  return result ? closed : result;
}

expected<std::optional<agent_piece>>
guest_agent::read_piece(const std::string& path, uint64_t offset,
                        std::size_t count, deadline_point until) {
  const auto handle = open(path, "r", until);
  if (!handle && is_missing(handle.error()))
    return std::optional<agent_piece>{};
  if (!handle)
    return tl::unexpected(handle.error());
  auto result = expected<std::optional<agent_piece>>{agent_piece{}};
  if (const auto moved = seek(*handle, offset, until); !moved)
    result = tl::unexpected(moved.error());
  if (result) {
    const auto got = execute(
      "guest-file-read", json{{"handle", *handle}, {"count", count}}, until);
    if (got)
      *result = agent_piece{.bytes = bytes_of(*got, "buf-b64"),
                            .is_end = qemu::bool_member(*got, "eof")};
    else
      result = tl::unexpected(got.error());
    if (got && (*result)->bytes.size() > count)
      result = fail(ec::vmm_refused,
                    fmt::format("{}: the guest sent {} bytes of a file and was "
                                "asked for {}",
                                path_, (*result)->bytes.size(), count));
  }
  const auto closed = close(*handle, until);
  if (result && !closed)
    return tl::unexpected(closed.error());
  return result;
}

expected<bool> guest_agent::is_there(const std::string& path,
                                     deadline_point until) {
  const auto handle = open(path, "r", until);
  if (!handle && is_missing(handle.error()))
    return false;
  if (!handle)
    return tl::unexpected(handle.error());
  const auto closed = close(*handle, until);
  return closed ? expected<bool>{true} : tl::unexpected(closed.error());
}

} // namespace forkfleet
