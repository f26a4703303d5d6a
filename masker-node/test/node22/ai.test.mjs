// ai 7, whose models have version 4.
import * as ai from 'ai'
import { createOpenAI } from '@ai-sdk/openai'
import { suite } from '../ai.mjs'

suite({ ai, createOpenAI, version: 'v4' })
