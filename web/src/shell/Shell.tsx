import { ActionIcon, Anchor, Button, Modal, PasswordInput, Stack, Text, Tooltip, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { Link, Outlet } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";
import { setToken, token } from "../api/token.js";
import { Key, Moon, Sun } from "./icons.js";

export function Shell() {
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="top">
        <div className="wide top-row">
          <Link to="/" className="brand" aria-label="Jarvis, all models">
            <img src="/icon.svg" alt="" width="26" height="26" />
            <span>Jarvis</span>
          </Link>
          <nav aria-label="Site" className="top-links">
            <Anchor href="/docs" size="sm" c="dimmed" className="quiet-link">
              API
            </Anchor>
            <Tooltip label="Access token">
              <ActionIcon variant="subtle" color="gray" size="lg" aria-label="Access token" onClick={open}>
                <Key />
              </ActionIcon>
            </Tooltip>
            <SchemeToggle />
          </nav>
        </div>
      </header>
      <main id="main" className="wide" tabIndex={-1}>
        <Outlet />
      </main>
      <TokenDialog opened={opened} close={close} />
    </>
  );
}

function SchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light", { getInitialValueInEffect: false }) === "dark";
  const label = dark ? "Switch to light colours" : "Switch to dark colours";
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" size="lg" aria-label={label} onClick={() => setColorScheme(dark ? "light" : "dark")}>
        {dark ? <Sun /> : <Moon />}
      </ActionIcon>
    </Tooltip>
  );
}

function TokenDialog({ opened, close }: { opened: boolean; close(): void }) {
  return (
    <Modal.Root opened={opened} onClose={close} centered>
      <Modal.Overlay />
      <Modal.Content>
        {/* Modal.Header would be a second banner for screen readers. */}
        <div className="dialog-head">
          <Modal.Title>Access token</Modal.Title>
          <Modal.CloseButton aria-label="Close" />
        </div>
        <Modal.Body>
          <TokenForm done={close} />
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

/** Asks for the bearer token, keeps it for this tab, and asks the server everything again. */
export function TokenForm({ done }: { done?: () => void }) {
  const queries = useQueryClient();
  const [value, setValue] = useState(token);
  const save = (event: FormEvent) => {
    event.preventDefault();
    setToken(value.trim());
    void queries.resetQueries();
    done?.();
  };
  return (
    <form onSubmit={save}>
      <Stack gap="sm">
        <PasswordInput
          label="Bearer token"
          description="Needed when the server listens beyond this machine. Kept until this tab is closed."
          value={value}
          onChange={(event) => setValue(event.currentTarget.value)}
          autoComplete="off"
        />
        <Button type="submit">Use this token</Button>
        <Text size="xs" c="dimmed">
          An empty field forgets it.
        </Text>
      </Stack>
    </form>
  );
}
