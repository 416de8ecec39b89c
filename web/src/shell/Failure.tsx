import { Button, Code, Group, Stack, Text, Title } from "@mantine/core";
import { JarvisError } from "../jarvis/index.js";
import { Alert, Offline } from "./icons.js";
import { TokenForm } from "./Shell.js";

/** A whole view that could not be shown: what happened, what to do, and a way to try again. */
export function Failure({ error, title, retry }: { error: unknown; title: string; retry?: () => void }) {
  const what = JarvisError.from(error);
  return (
    <section className="panel failure" role="alert">
      <Stack gap="xs" align="flex-start">
        <Group gap="xs" c="var(--bad)">
          {what.code === "unreachable" ? <Offline size={22} /> : <Alert size={22} />}
          <Title order={2} size="h4">
            {title}
          </Title>
        </Group>
        <Text>{sentence(what.message)}</Text>
        {what.hint && <Text c="dimmed">{sentence(what.hint)}</Text>}
        <Code>{what.code}</Code>
        {what.code === "denied" ? (
          <TokenForm />
        ) : (
          retry && (
            <Button variant="light" onClick={retry} mt="xs">
              Try again
            </Button>
          )
        )}
      </Stack>
    </section>
  );
}

export function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}
