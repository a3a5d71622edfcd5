// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/python_tree.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>

#include "rating/python_tree_script.hh"

extern char** environ;

namespace tollgate::rating {
namespace {

constexpr u32 tree_depth_max = 200;
constexpr std::size_t source_bytes_max = 1_MiB;
constexpr std::size_t tree_bytes_max = 256_MiB;

class TreeReader {
 public:
  explicit TreeReader(std::string_view text) : text_(text) {}

  bool read(PythonNode& node, u32 depth) {
    skip();
    if (depth > tree_depth_max || at_ >= text_.size()) return false;
    const char first = text_[at_++];
    switch (first) {
      case '(':
        return read_node(node, depth);
      case '[':
        node.kind = PythonNode::Kind::list;
        return read_items(node, ']', depth);
      case '-':
        return true;
      case 'i':
        return read_number(node);
      case 'b':
        node.kind = PythonNode::Kind::truth;
        node.number = word() == "1" ? 1 : 0;
        return true;
      case 's':
        node.kind = PythonNode::Kind::text;
        return read_hexadecimal(word(), node.name);
      case 'x':
        node.kind = PythonNode::Kind::other;
        node.name = word();
        return true;
      default:
        return false;
    }
  }

 private:
  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  std::string_view word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != ' ') ++at_;
    return text_.substr(begin, at_ - begin);
  }
  template <class Number>
  static bool read_digits(std::string_view digits, Number& number) {
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), number);
    return error == std::errc{} && end == digits.end();
  }

  bool read_node(PythonNode& node, u32 depth) {
    node.kind = PythonNode::Kind::node;
    node.name = word();
    skip();
    if (!read_digits(word(), node.line)) return false;
    skip();
    if (!read_digits(word(), node.column)) return false;
    return read_items(node, ')', depth);
  }
  bool read_items(PythonNode& node, char close, u32 depth) {
    for (skip(); at_ < text_.size(); skip()) {
      if (text_[at_] == close) {
        ++at_;
        return true;
      }
      if (!read(node.items.emplace_back(), depth + 1)) return false;
    }
    return false;
  }
  bool read_number(PythonNode& node) {
    node.kind = PythonNode::Kind::number;
    const std::string_view digits = word();
    node.is_too_large = !read_digits(digits, node.number);
    return !digits.empty();
  }
  static bool read_hexadecimal(std::string_view digits, std::string& text) {
    if (digits.size() % 2 != 0) return false;
    for (std::size_t i = 0; i < digits.size(); i += 2) {
      u8 octet = 0;
      const auto [end, error] = std::from_chars(&digits[i], &digits[i] + 2, octet, 16);
      if (error != std::errc{} || end != &digits[i] + 2) return false;
      text.push_back(static_cast<char>(octet));
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// A pipe whose ends are closed with it.
struct Pipe {
  std::array<int, 2> end{-1, -1};

  Pipe() {
    if (::pipe2(end.data(), O_CLOEXEC) != 0) end = {-1, -1};
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  bool is_open() const { return end[0] >= 0; }
  void close_end(std::size_t which) {
    if (end[which] >= 0) ::close(end[which]);
    end[which] = -1;
  }
};

// Gives `input` to the child and takes what it writes, whichever it is ready for.
void exchange(Pipe& to_child, Pipe& from_child, const std::string& input, std::string& output) {
  ::fcntl(to_child.end[1], F_SETFL, O_NONBLOCK);
  std::size_t sent = 0;
  std::array<char, 65536> buffer;
  for (;;) {
    if (sent == input.size()) to_child.close_end(1);
    std::array<pollfd, 2> ready = {{{from_child.end[0], POLLIN, 0}, {to_child.end[1], POLLOUT, 0}}};
    if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return;
    if ((ready[1].revents & (POLLOUT | POLLERR)) != 0) {
      const ssize_t count = ::write(to_child.end[1], &input[sent], input.size() - sent);
      // A child that ended early reads no more: what it wrote tells why.
      if (count < 0 && errno != EAGAIN && errno != EINTR) sent = input.size();
      if (count > 0) sent += static_cast<std::size_t>(count);
    }
    if ((ready[0].revents & (POLLIN | POLLHUP)) == 0) continue;
    const ssize_t count = ::read(from_child.end[0], buffer.data(), buffer.size());
    if (count == 0 || (count < 0 && errno != EINTR) || output.size() > tree_bytes_max) return;
    if (count > 0) output.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

// Runs the script with `source` on its standard input. Returns why not, or nothing.
std::string run_script(const std::string& source, std::string& output) {
  Pipe to_child;
  Pipe from_child;
  if (!to_child.is_open() || !from_child.is_open()) return "no pipe could be made";
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, to_child.end[0], 0);
  ::posix_spawn_file_actions_adddup2(&actions, from_child.end[1], 1);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::string script(python_tree_script);
  std::string name = "python3";
  std::string isolated = "-IS";  // of what the user or the site has added
  std::string command = "-c";
  std::array<char*, 5> arguments = {name.data(), isolated.data(), command.data(), script.data(),
                                    nullptr};
  pid_t child = 0;
  const int failure =
      ::posix_spawnp(&child, "python3", &actions, &attributes, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (failure != 0) return fmt::format("python3 cannot be run: {}", std::strerror(failure));
  to_child.close_end(0);
  from_child.close_end(1);
  exchange(to_child, from_child, source, output);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "" : "python3 ended with a failure";
}

}  // namespace

bool read_python_tree(std::string_view text, PythonNode& module) {
  return TreeReader(text).read(module, 0) && module.kind == PythonNode::Kind::node;
}

PythonTree parse_python(const std::string& source) {
  PythonTree tree;
  if (source.size() > source_bytes_max) {
    tree.mistake = "is larger than 1 MiB";
    return tree;
  }
  // A child that ended before it read all is no reason to end with it.
  struct sigaction ignored {};
  struct sigaction before {};
  ignored.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignored, &before);
  std::string output;
  tree.mistake = run_script(source, output);
  ::sigaction(SIGPIPE, &before, nullptr);
  if (!tree.mistake.empty()) return tree;
  if (!read_python_tree(output, tree.module)) {
    tree.mistake = "is nested too deeply to be a price";
    return tree;
  }
  if (!tree.module.is("Mistake")) return tree;
  tree.line = tree.module.line;
  tree.column = tree.module.column;
  tree.mistake = tree.module.items.empty() ? "is no Python" : tree.module.items[0].name;
  return tree;
}

}  // namespace tollgate::rating
