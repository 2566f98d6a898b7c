// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/qmp_client.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "actors/bounded_text.hpp"
#include "actors/schema/json_limits.hpp"
#include "node/qemu/unix_socket.hpp"

namespace forkfleet::qemu {

namespace {

using std::chrono::steady_clock;

// How long QEMU's end may be behind the end of its connection.
constexpr auto end_patience = std::chrono::milliseconds{200};
constexpr std::size_t answers_max = 4;
constexpr schema::json_limits line_limits{.values_max = qmp_values_max,
                                          .text_bytes_max = qmp_line_bytes_max};
/// Reads of 16 KiB that clear away what has arrived.
constexpr int forget_reads_max = 256;

std::string describe_error(const json& error) {
  const auto text = bounded_text(text_member(error, "desc"));
  return text.empty() ? "an error without a description" : text;
}

} // namespace

const json& member(const json& value, std::string_view key) {
  static const json none;
  if (!value.is_object())
    return none;
  const auto found = value.find(std::string{key});
  return found == value.end() ? none : *found;
}

std::string text_member(const json& value, std::string_view key) {
  const auto& found = member(value, key);
  return found.is_string() ? found.get<std::string>() : std::string{};
}

uint64_t number_member(const json& value, std::string_view key) {
  const auto& found = member(value, key);
  return found.is_number_unsigned() ? found.get<uint64_t>() : 0;
}

bool bool_member(const json& value, std::string_view key) {
  const auto& found = member(value, key);
  return found.is_boolean() && found.get<bool>();
}

expected<std::unique_ptr<qmp_client>>
qmp_client::connect(const std::string& path, deadline_point until,
                    const process_id& known) {
  auto client = std::unique_ptr<qmp_client>{new qmp_client{path, known}};
  if (auto opened = client->open(until); !opened)
    return tl::unexpected(opened.error());
  return client;
}

status qmp_client::ensure_connected(deadline_point until) {
  return is_connected() ? status{} : open(until);
}

status qmp_client::open(deadline_point until) {
  lines_.clear();
  events_.clear();
  answers_.clear();
  greeting_.reset();
  auto socket = connect_unix(path_, SOCK_STREAM, until);
  if (!socket) {
    if (find_process(process()).has_ended())
      return fail(ec::vmm_gone, path_ + ": QEMU has ended");
    return tl::unexpected(socket.error());
  }
  socket_ = std::move(*socket);
  if (auto same = server_.check(socket_.get(), path_); !same) {
    socket_.reset();
    return same;
  }
  if (auto greeted = read_greeting(until); !greeted)
    return greeted;
  auto ready = execute("qmp_capabilities", until);
  if (!ready) {
    socket_.reset();
    return tl::unexpected(ready.error());
  }
  return {};
}

status qmp_client::read_greeting(deadline_point until) {
  while (!greeting_) {
    auto more = receive_some(until);
    if (more && (greeting_ || steady_clock::now() < until))
      continue;
    if (more)
      more = fail(ec::deadline_exceeded, {});
    socket_.reset();
    if (more.error().code == ec::deadline_exceeded)
      return fail(ec::vmm_unreachable,
                  path_
                    + ": no greeting; another client holds this socket, or "
                      "QEMU hangs");
    return more;
  }
  const auto& version = member(member(*greeting_, "version"), "qemu");
  version_ = fmt::format("{}.{}.{}", number_member(version, "major"),
                         number_member(version, "minor"),
                         number_member(version, "micro"));
  return {};
}

expected<json> qmp_client::execute(std::string_view command,
                                   const json& arguments, deadline_point until,
                                   int pass) {
  if (!socket_)
    return fail(ec::vmm_unreachable, path_ + ": not connected");
  const auto id = next_id_++;
  awaited_ = id;
  answers_.clear();
  auto message = json{{"execute", command}, {"id", id}};
  if (!arguments.empty())
    message["arguments"] = arguments;
  const auto line = schema::dump(message) + "\r\n";
  if (auto sent = send_text(socket_.get(), line, pass, until); !sent) {
    // A part of the line may have gone: the next one would be garbage.
    return tl::unexpected(lost(sent.error().message));
  }
  auto result = answer(id, until);
  if (!result) {
    auto error = result.error();
    if (error.code == ec::vmm_refused || error.code == ec::deadline_exceeded)
      error.message = fmt::format("{}: {}: {}", path_, command, error.message);
    return tl::unexpected(error);
  }
  return result;
}

expected<json> qmp_client::answer(uint64_t id, deadline_point until) {
  for (bool is_first = true;; is_first = false) {
    while (!answers_.empty()) {
      const auto message = std::move(answers_.front());
      answers_.pop_front();
      const auto& its_id = member(message, "id");
      // Without an id it is the answer to what QEMU could not parse.
      if (!its_id.is_null() && number_member(message, "id") != id)
        continue;
      const auto& error = member(message, "error");
      if (!error.is_null())
        return fail(ec::vmm_refused, describe_error(error));
      return member(message, "return");
    }
    auto more = status{fail(ec::deadline_exceeded, {})};
    // Also of a QEMU that talks all the time.
    if (is_first || steady_clock::now() < until)
      more = receive_some(until);
    if (!more) {
      if (more.error().code == ec::deadline_exceeded)
        return fail(ec::deadline_exceeded, "no answer in time");
      return tl::unexpected(more.error());
    }
  }
}

expected<qmp_event> qmp_client::wait_event(std::string_view name,
                                           deadline_point until) {
  auto found =
    wait_event_if([name](const qmp_event& x) { return x.name == name; }, until);
  if (!found && found.error().code == ec::deadline_exceeded)
    return fail(ec::deadline_exceeded,
                fmt::format("{}: no event {} in time", path_, name));
  return found;
}

void qmp_client::forget_events() {
  for (int i = 0; i < forget_reads_max && socket_
                  && wait_readable(socket_.get(), steady_clock::now());
       ++i)
    if (!receive_some(steady_clock::now()))
      break;
  events_.clear();
}

status qmp_client::receive_some(deadline_point until) {
  if (!socket_)
    return fail(ec::vmm_unreachable, path_ + ": not connected");
  auto room = std::array<char, 16384>{};
  auto got = receive(socket_.get(), room, until);
  if (!got && got.error().code == ec::deadline_exceeded)
    return fail(ec::deadline_exceeded, path_ + ": nothing came in time");
  if (!got)
    return tl::unexpected(lost(got.error().message));
  if (got->bytes == 0)
    return tl::unexpected(lost("QEMU closed the connection"));
  lines_.append({room.data(), got->bytes});
  return take_lines();
}

status qmp_client::take_lines() {
  while (const auto line = lines_.next())
    if (auto taken = take_line(*line); !taken)
      return taken;
  if (lines_.is_too_long())
    return tl::unexpected(
      lost(fmt::format("a line of more than {} bytes", qmp_line_bytes_max)));
  return {};
}

status qmp_client::take_line(std::string_view line) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos)
    return {};
  auto message = schema::parse_json(line, line_limits);
  if (!message || !message->is_object())
    return tl::unexpected(lost("what came is not QMP"));
  if (message->contains("QMP")) {
    greeting_ = member(*message, "QMP");
  } else if (message->contains("event")) {
    keep_event(*message, line.size() <= qmp_event_bytes_max);
  } else if (const auto& id = member(*message, "id");
             id.is_null() || number_member(*message, "id") == awaited_) {
    if (answers_.size() == answers_max)
      return tl::unexpected(lost("answers that nobody asked for"));
    answers_.push_back(std::move(*message));
  }
  return {};
}

void qmp_client::keep_event(const json& message, bool with_data) {
  const auto& stamp = member(message, "timestamp");
  const auto micros = number_member(stamp, "seconds") * 1'000'000
                      + number_member(stamp, "microseconds");
  if (events_.size() == qmp_events_max)
    events_.pop_front();
  events_.push_back({bounded_text(text_member(message, "event")),
                     with_data ? member(message, "data") : json{},
                     std::chrono::microseconds{micros}});
  if (events_.back().name == "SHUTDOWN")
    shutdown_ = events_.back();
}

// What QEMU said before its end still lies in the socket.
void qmp_client::take_rest() {
  auto room = std::array<char, 16384>{};
  for (std::size_t bytes = 0; bytes <= qmp_line_bytes_max;) {
    while (const auto line = lines_.next())
      if (const auto message = schema::parse_json(*line, line_limits);
          message && message->is_object() && message->contains("event"))
        keep_event(*message, line->size() <= qmp_event_bytes_max);
    const auto got = receive(socket_.get(), room, steady_clock::now());
    if (!got || got->bytes == 0)
      break;
    bytes += got->bytes;
    lines_.append({room.data(), got->bytes});
  }
}

// Closes the connection and tells whether its process has ended, too.
failure qmp_client::lost(std::string_view why) {
  take_rest();
  socket_.reset();
  lines_.clear();
  const auto qemu = find_process(process());
  if (qemu.has_ended()
      || (qemu.runs()
          && wait_for_end(qemu.pidfd(), steady_clock::now() + end_patience)))
    return {ec::vmm_gone,
            fmt::format("{}: QEMU (pid {}) has ended", path_, process().pid)};
  return {ec::vmm_unreachable, fmt::format("{}: {}", path_, why)};
}

} // namespace forkfleet::qemu
